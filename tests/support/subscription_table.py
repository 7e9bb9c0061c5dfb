"""A table of subscriptions with any columns, on Postgres or SQLite, as an app may have it."""

from __future__ import annotations

import sqlite3
import uuid
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING

import psycopg
import pytest

from storage.conditions import parse_where
from storage.subscriptions import SqlSubscriptions
from storage.tables import AppTable
from tests.support.prisma import open_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

NULLABLE = """CREATE TABLE "PushSubscription" ("id" {id} PRIMARY KEY, "userId" {id}, "endpoint" TEXT, "p256dh" TEXT,
    "auth" TEXT{more})"""


class Table:
    """A table of one kind of ids: `id(n)` sorts by n."""

    def __init__(self, url: str, kind: str) -> None:
        """Use an empty database."""
        self.url = url
        self.kind = kind

    def id(self, number: int) -> str:
        """An id in the form of a job."""
        return (
            str(uuid.UUID(int=number))
            if self.kind == "UUID"
            else str(number)
            if self.kind != "TEXT"
            else f"c{number:05}"
        )

    def sql(self, statement: str) -> None:
        """Run one statement."""
        if self.url.startswith("sqlite"):
            with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
                connection.execute(statement)
        else:
            with psycopg.connect(self.url, autocommit=True) as server:
                server.execute(statement.encode())

    def create(self, more: str = "") -> None:
        """Create the table, with more columns."""
        self.sql(NULLABLE.format(id=self.kind, more=more))

    def insert(self, number: int, user: int = 1, columns: str = "", values: str = "") -> None:
        """Add a row, with values of more columns."""
        self.sql(
            f'INSERT INTO "PushSubscription" ("id", "userId", "endpoint", "p256dh", "auth"{columns}) '  # noqa: S608
            f"VALUES ('{self.id(number)}', '{self.id(user)}', 'https://push.example/{number}', 'key', 'auth'{values})"
        )

    def count(self, condition: str) -> int:
        """The number of rows that match this condition."""
        query = f'SELECT count(*) FROM "PushSubscription" WHERE {condition}'  # noqa: S608 -- a test's own values
        if self.url.startswith("sqlite"):
            with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"))) as connection:
                return int(connection.execute(query).fetchone()[0])
        with psycopg.connect(self.url) as server:
            [counted] = server.execute(query.encode()).fetchall()
            return int(counted[0])

    @asynccontextmanager
    async def open(self, columns: str = "", where: str = "") -> AsyncIterator[SqlSubscriptions]:
        """The port over this table, with these names of columns; jobs may choose by the columns in `where`."""
        database = await open_database(self.url, {AppTable.PUSH_SUBSCRIPTION}, push_subscription_columns=columns)
        try:
            yield SqlSubscriptions(database, parse_where(where))
        finally:
            await database.close()


@pytest.fixture
def table_of(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str, str], Table]:
    """Make a table in an empty database of that server, with ids of that type."""

    def make(server: str, kind: str) -> Table:
        if server == "postgres":
            return Table(request.getfixturevalue("postgres_url"), kind)
        path = tmp_path / "app.db"
        path.touch()
        return Table(f"sqlite:///{path}", kind)

    return make
