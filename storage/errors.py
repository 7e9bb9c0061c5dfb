"""The errors that storage raises on purpose. Any other (a driver's exception) means: try again later."""

from __future__ import annotations


class StorageError(Exception):
    """Base of the errors below."""


class InvalidKeyError(StorageError):
    """The storage key is invalid: empty, absolute, a URL, or outside the store."""


class ObjectNotFoundError(StorageError):
    """No object has this key."""


class ObjectTooLargeError(StorageError):
    """The object is larger than the caller allows."""


class RowNotFoundError(StorageError):
    """No row has this id."""


class NotOwnerError(StorageError):
    """The row with this id belongs to another user."""


class StorageAwayError(StorageError):
    """The database or the object store does not answer or can't serve now. The same call may work later."""


class StorageRefusedError(StorageError):
    """The object store refuses a request. The message has only its code: its own message may name accounts."""


class StatementRefusedError(StorageError):
    """The database refuses a statement and is not away. The message has only the code, and no values of a row."""

    def __init__(self, message: str, code: str | None = None) -> None:
        """`code` is Postgres's or SQLite's."""
        super().__init__(message)
        self.code = code


class ConditionRefusedError(StorageError):
    """Rows can't be chosen by this column or this value. The message names the column, and no value."""


class SchemaError(StorageError):
    """The database is reachable but lacks a table or a column that the worker needs; the message names it."""


class StorageUnavailableError(StorageError):
    """The database or the object store can't be used with these settings. The message names the variable, no secret.

    Only the checks at start raise it.
    """
