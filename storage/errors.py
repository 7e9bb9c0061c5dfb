"""What storage raises on purpose. Anything else (a driver's exception) means: try again later."""

from __future__ import annotations


class StorageError(Exception):
    """Base of the errors below."""


class InvalidKeyError(StorageError):
    """The storage key is not one: empty, absolute, a URL, or it climbs out of the store."""


class ObjectNotFoundError(StorageError):
    """No object has this key."""


class ObjectTooLargeError(StorageError):
    """The object is larger than the caller wants to handle."""


class RowNotFoundError(StorageError):
    """No row has this id."""


class NotOwnerError(StorageError):
    """The row with this id is another user's."""


class StorageAwayError(StorageError):
    """The database or the object store does not answer now; the same call may work in a while."""


class StorageRefusedError(StorageError):
    """The object store refuses what it was asked for; only its code is told, as its message may name accounts."""


class StatementRefusedError(StorageError):
    """The database refuses a statement and names no outage; only its code is told, as its words may hold a row's."""


class SchemaError(StorageError):
    """The database is reachable but lacks a table or a column that the worker needs; the message names it."""


class StorageUnavailableError(StorageError):
    """The database or the object store can't be used as it is set up; the message names the variable, and no secret.

    Raised by the checks at start only.
    """
