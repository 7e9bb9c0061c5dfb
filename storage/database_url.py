"""Parse DATABASE_URL in the forms of Heroku and Prisma into a URL of SQLAlchemy."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Mapping

# Parameters of the app's clients, which libpq refuses. They are dropped; `schema` is read below.
PRISMA_PARAMETERS = (
    "connection_limit",
    "max_connection_lifetime",
    "max_idle_connection_lifetime",
    "pgbouncer",
    "pool_timeout",
    "schema",
    "single_use_connections",
    "socket_timeout",
    "sslaccept",
    "sslidentity",
    "statement_cache_size",
)
NODE_PARAMETERS = ("supa", "uselibpqcompat")  # Supabase's parameter for Vercel, node-postgres's

# Prisma's form for SQLite: `file:./dev.db`. Parameters after the ? are Prisma's.
PRISMA_FILE = re.compile(r"(?:file|sqlite):(?://(?=/))?(?P<path>(?!//)[^?]+)(?:\?.*)?")
SCHEMA_FOLDER = Path("prisma")

# Defaults of parameters that the URL does not have. They notice a dead network within 10 s: tcp_user_timeout
# (milliseconds) while sending, keepalives on an idle connection (after 5 s, then 2 that are not answered). The encoding
# is Prisma's, also for a database of SQL_ASCII, whose texts psycopg would give as bytes.
POSTGRES_PARAMETERS = {
    "application_name": "pushmill",
    "client_encoding": "UTF8",
    "connect_timeout": "5",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "2",
    "tcp_user_timeout": "10000",
}


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """A database to connect to: the `engine` URL (with its password), and the Postgres `schema` (None: the default)."""

    engine: URL = field(repr=False)
    schema: str | None = None

    @property
    def is_postgres(self) -> bool:
        """Whether this is Postgres; else it is SQLite."""
        return self.engine.get_backend_name() == "postgresql"

    @property
    def file(self) -> Path | None:
        """The file of a SQLite database."""
        return None if self.is_postgres else Path(unquote((self.engine.database or "").removeprefix("file:")))

    @property
    def place(self) -> str:
        """The database's address for messages: `host:port`, a directory of sockets or a file. Never the password."""
        if self.file is not None:
            return str(self.file)
        host = self.engine.host or self.engine.query.get("host") or "localhost"
        return f"{host}:{self.engine.port or 5432}"


def parse_database_url(text: str) -> DatabaseUrl:
    """Read DATABASE_URL: `postgres://`, `postgresql://`, `sqlite:///path`, or Prisma's `file:./path`.

    Raises ValueError with a message that repeats no part of the URL.
    """
    if (found := PRISMA_FILE.fullmatch(text)) is not None and not text.startswith("sqlite:///"):
        return _sqlite(URL.create("sqlite", database=_of_prisma(found["path"])))
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        msg = "not a URL; it looks like postgresql://user:password@host:5432/database"
        raise ValueError(msg) from None
    if url.drivername in {"postgres", "postgresql"}:
        return _postgres(url)
    if url.drivername == "sqlite":
        return _sqlite(url)
    msg = "neither Postgres (postgres://... or postgresql://...) nor SQLite (sqlite:///path or file:./path)"
    raise ValueError(msg)


def _postgres(url: URL) -> DatabaseUrl:
    if "@" in (url.host or ""):
        msg = "more than one @; write the special characters of the password percent-encoded (@ as %40)"
        raise ValueError(msg)
    if not url.database:
        msg = "names no database; it looks like postgresql://user:password@host:5432/database"
        raise ValueError(msg)
    schema = _one(url.query, "schema")
    url = url.set(drivername="postgresql+psycopg").difference_update_query((*PRISMA_PARAMETERS, *NODE_PARAMETERS))
    return DatabaseUrl(url.set(query={**POSTGRES_PARAMETERS, **url.query}), schema)


def _of_prisma(path: str) -> str:
    """Prisma's file URL. A relative path starts at the app's working directory; up to Prisma 6, at its schema."""
    return str(SCHEMA_FOLDER / path) if not Path(path).exists() and (SCHEMA_FOLDER / path).exists() else path


def _sqlite(url: URL) -> DatabaseUrl:
    if not url.database or url.database == ":memory:":
        msg = "names no file; it looks like sqlite:///relative/path.db or sqlite:////absolute/path.db"
        raise ValueError(msg)
    # A URI: only mode=rw keeps SQLite from creating a missing file.
    return DatabaseUrl(
        URL.create("sqlite+aiosqlite", database=f"file:{quote(url.database)}", query={"mode": "rw", "uri": "true"})
    )


def _one(query: Mapping[str, tuple[str, ...] | str], name: str) -> str | None:
    value = query.get(name)
    return value if isinstance(value, str) else None
