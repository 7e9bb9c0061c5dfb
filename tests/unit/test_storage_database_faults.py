"""Which database errors are the server's fault, and cost no attempt, and which the statement's."""

from __future__ import annotations

import sqlite3

import psycopg
import pytest
from psycopg import errors
from sqlalchemy.exc import InternalError, OperationalError

from storage.database_faults import code_of, is_set_up_wrongly, words_for


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (errors.ReadOnlySqlTransaction(), "is read-only (25006)"),
        (errors.InvalidPassword(), "refuses the user or the password (28P01)"),
        (errors.InvalidCatalogName(), "is not there (3D000)"),
        (errors.InsufficientPrivilege(), "lacks a privilege for this user (42501)"),
        (errors.UndefinedTable(), "lacks a table; have the app's migrations run? (42P01)"),
        (errors.UndefinedColumn(), "lacks a column; have the app's migrations run? (42703)"),
        (errors.DiskFull(), "has a full disk (53100)"),
        (errors.TooManyConnections(), "has no connection left (53300)"),
        (errors.ConfigurationLimitExceeded(), "is short of something (53400)"),
        (errors.ProtocolViolation(), "does not answer (08P01)"),
        (errors.DeadlockDetected(), "is busy with others' locks (40P01)"),
        (errors.CannotConnectNow(), "is being started or stopped (57P03)"),
        (errors.QueryCanceled(), "has cancelled the statement, as it took too long (57014)"),
        (errors.IoError(), "can't read or write its files (58030)"),
        (errors.DataCorrupted(), "is broken inside (XX001)"),
        (errors.UniqueViolation(), None),
        (errors.NumericValueOutOfRange(), None),
        (errors.SyntaxError(), None),
        (errors.ProgramLimitExceeded(), None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_postgres(error: psycopg.Error, expected: str | None) -> None:
    """Each code that is the server's fault has a text, also if SQLAlchemy has wrapped the error."""
    wrapped = InternalError("UPDATE", {}, error)

    assert error.sqlstate == code_of(error) == code_of(wrapped)
    assert expected == words_for(code_of(error) or "")


@pytest.mark.parametrize(
    ("said", "code", "wrong"),
    [
        ('connection failed: FATAL:  password authentication failed for user "app"', "28P01", True),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.1"', "28P01", True),
        ('FATAL:  role "app" does not exist', "28P01", True),
        ('FATAL:  database "shop" does not exist', "3D000", True),
        ("FATAL:  sorry, too many clients already", "53300", False),
        ("FATAL:  remaining connection slots are reserved for roles with SUPERUSER", "53300", False),
        ("FATAL:  SASL authentication failed", "28P01", True),
        ("FATAL:  login rejected", "28P01", True),
        ("FATAL:  no such database: shop", "3D000", True),
        ("FATAL:  no more connections allowed (max_client_conn)", "53300", False),
        ("FATAL:  unsupported startup parameter: options", None, True),
        ('invalid connection option "colour"', None, True),
        ('connection is bad: invalid sslmode value: "no-verify"', None, True),
        ("connection refused", None, False),
        ("SSL error: certificate verify failed", None, False),
        ("failed to resolve host 'db': [Errno -3] Temporary failure in name resolution", None, False),
    ],
)
def test_a_connection_that_cannot_be_made(said: str, code: str | None, *, wrong: bool) -> None:
    """It has no code; its message shows whether the settings must change."""
    error = OperationalError("", {}, psycopg.OperationalError(said))

    assert (code, wrong) == (code_of(error), is_set_up_wrongly(error))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("SQLITE_READONLY_DBMOVED", "is read-only (SQLITE_READONLY_DBMOVED)"),
        ("SQLITE_FULL", "has a full disk (SQLITE_FULL)"),
        ("SQLITE_CONSTRAINT_UNIQUE", None),
        ("SQLITE_MISMATCH", None),
    ],
)
def test_sqlite(name: str, expected: str | None) -> None:
    """Its errors have names."""
    error = sqlite3.OperationalError()
    error.sqlite_errorname = name

    assert (name, expected) == (code_of(error), words_for(name))
