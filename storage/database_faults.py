"""Tell the errors of a database that can't serve from those of one statement. Pure.

The codes are Postgres's: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

import re

# By code or by class (its first two characters); a code wins. Any other code is a fault of the statement.
CODES = {
    "25006": "is read-only",
    "25P03": "has ended a transaction that said nothing",
    "28": "refuses the user or the password",
    "3D000": "is not there",
    "3F000": "lacks a schema; have the app's migrations run?",
    "42501": "lacks a privilege for this user",
    "42P01": "lacks a table; have the app's migrations run?",
    "42703": "lacks a column; have the app's migrations run?",
    "53100": "has a full disk",
    "53200": "is out of memory",
    "53300": "has no connection left",
    "53": "is short of something",
    "08": "does not answer",
    "40": "is busy with others' locks",
    "55P03": "is busy with others' locks",
    "57014": "has cancelled the statement, as it took too long",
    "57": "is being started or stopped",
    "58": "can't read or write its files",
    "XX": "is broken inside",
}
# By the first word after SQLITE_: https://www.sqlite.org/rescode.html
SQLITE = {
    "BUSY": "is busy with others' locks",
    "CANTOPEN": "can't be opened",
    "CORRUPT": "is broken inside",
    "ERROR": "lacks a table or a column",
    "FULL": "has a full disk",
    "IOERR": "can't read or write its file",
    "LOCKED": "is busy with others' locks",
    "NOTADB": "is none",
    "READONLY": "is read-only",
}
# Messages of connections that can't be made, Postgres's and PgBouncer's: they have no code.
WORDS = {
    r"authentication failed|no password supplied|no pg_hba\.conf entry|login rejected|role .* does not exist": "28P01",
    r"database .* does not exist|no such database": "3D000",
    r"too many clients|too many connections|no more connections allowed|remaining connection slots": "53300",
}
# Messages of libpq and PgBouncer about the URL's own parameters.
PARAMETER = r"invalid connection option|invalid \w+ value|unsupported startup parameter"
# These need a change of the set-up; the others may pass by themselves.
WRONG = ("28", "3D", "3F", "42")


def code_of(error: BaseException) -> str | None:
    """The code of an error of SQLAlchemy or psycopg: Postgres's or SQLite's; None if it has none."""
    driver = getattr(error, "orig", None) or error
    code = getattr(driver, "sqlstate", None) or getattr(driver, "sqlite_errorname", None)
    if code is not None:
        return str(code)
    return next((code for words, code in WORDS.items() if re.search(words, str(driver))), None)


def words_for(code: str) -> str | None:
    """What is wrong, to follow "the database "; None if the statement is at fault."""
    words = SQLITE.get(code.split("_")[1]) if code.startswith("SQLITE_") else CODES.get(code) or CODES.get(code[:2])
    return words and f"{words} ({code})"


def is_set_up_wrongly(error: BaseException) -> bool:
    """Whether somebody must change the settings, the user's privileges or the tables."""
    code = code_of(error) or ""
    if not code and re.search(PARAMETER, str(error)):
        return True
    return code.startswith(WRONG) or (code.startswith("SQLITE_") and code not in {"SQLITE_BUSY", "SQLITE_LOCKED"})
