"""An app's side of its database, with tables as Prisma makes them, on Postgres or on SQLite."""

from __future__ import annotations

import sqlite3
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import dict_row

from storage.columns import subscription_table
from storage.database import Database
from storage.models import Avatar, EmailSuppression, File, Notification, Outbox, User
from storage.tables import AppTable, Wanted

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlmodel import SQLModel

SUBSCRIPTIONS = """CREATE TABLE "PushSubscription" ("id" {id} PRIMARY KEY, "userId" {id} NOT NULL,
    "endpoint" TEXT NOT NULL, "p256dh" TEXT NOT NULL, "auth" TEXT NOT NULL, "createdAt" TIMESTAMP(3))"""
FILES = """CREATE TABLE "File" ("id" {id} PRIMARY KEY, "name" TEXT, "compressedUrl" TEXT, "thumbnailUrl" TEXT,
    "width" INTEGER, "processed" BOOLEAN NOT NULL DEFAULT false, "updatedAt" TIMESTAMP(3))"""

# As the ids are written in a job: three that sort in this order, and two that no user has.
TEXT_IDS = ("ckx1", "ckx2", "ckx3", "nobody", "Zoë")
INTEGER_IDS = ("1", "2", "10", "7", "9223372036854775807")
UUID_IDS = tuple(str(uuid.UUID(int=number)) for number in (1, 2, 3, 8, 9))
# Ids that a job may have, and that no column of the app could hold.
IMPOSSIBLE = ["", "x", " 1", "01", "+1", "1_0", "1.0", "9" * 30, "-" + "9" * 18, "\0", "a\0b", "\ud800", "' OR 1=1 --"]

OTHERS: dict[str, type[SQLModel]] = {
    "avatar_table": Avatar,
    "email_suppression_table": EmailSuppression,
    "notification_table": Notification,
    "notification_user_table": User,
    "outbox_table": Outbox,
}


@dataclass(frozen=True, slots=True)
class App:
    """The app's side of a database: its URL, its ids, and SQL as the app would run it."""

    url: str
    ids: tuple[str, ...]

    @property
    def id_type(self) -> str:
        """The type of its ids, as a table has it."""
        return {TEXT_IDS: "TEXT", INTEGER_IDS: "INTEGER", UUID_IDS: "UUID"}[self.ids]

    @property
    def name(self) -> str:
        """The name of its database in Postgres."""
        return str(self.sql("SELECT current_database() AS name")[0]["name"])

    def sql(self, statement: str) -> list[dict[str, Any]]:
        """Run one statement, and give its rows if it has any."""
        if self.url.startswith("sqlite"):
            return _sqlite(self.url.removeprefix("sqlite:///"), statement)
        with psycopg.connect(self.url, autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def insert(self, table: str, *rows: dict[str, Any]) -> None:
        """Insert rows that all have the same columns."""
        columns = ", ".join(f'"{name}"' for name in rows[0])
        values = ", ".join("(" + ", ".join(f"'{value}'" for value in row.values()) + ")" for row in rows)
        self.sql(f'INSERT INTO "{table}" ({columns}) VALUES {values}')  # noqa: S608 -- a test's own values

    def subscribe(self, row: int, user: int, endpoint: str = "https://push.example/1", p256dh: str = "key") -> None:
        """Insert a subscription with the id number `row` for the user number `user`."""
        self.insert("PushSubscription", subscription(self.ids[row], self.ids[user], endpoint, p256dh))

    def add_files(self) -> None:
        """Insert two files, with the first two ids."""
        self.insert("File", *({"id": id_, "name": "holiday"} for id_ in self.ids[:2]))


def subscription(id_: str, user_id: str, endpoint: str, p256dh: str) -> dict[str, Any]:
    """A row of a subscription, as the app would insert it."""
    return {"id": id_, "userId": user_id, "endpoint": endpoint, "p256dh": p256dh, "auth": "auth"}


def _sqlite(path: str, statement: str) -> list[dict[str, Any]]:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute(statement)]
    finally:
        connection.close()


def small_app(url: str) -> App:
    """An app whose database in Postgres has two files and a subscription."""
    app = App(url, TEXT_IDS)
    app.sql(FILES.format(id="TEXT"))
    app.sql(SUBSCRIPTIONS.format(id="TEXT"))
    app.add_files()
    app.subscribe(0, 0)
    return app


async def open_database(url: str, needs: Collection[AppTable], **names: Any) -> Database:
    """The worker's side of a database, with those of the app's tables that it needs; `names` as in `tables`."""
    return await Database.open(url, {table: want for table, want in tables(**names).items() if table in needs})


def tables(
    push_subscription_table: str = "PushSubscription",
    push_subscription_columns: str = "",
    file_table: str = "File",
    **others: str | None,
) -> dict[AppTable, Wanted]:
    """The app's tables, as the settings of the features name them; `others` are those that an app may lack."""
    return {
        AppTable.PUSH_SUBSCRIPTION: subscription_table(push_subscription_table, push_subscription_columns),
        AppTable.FILE: Wanted.usual(File, file_table),
        **{AppTable(name.upper()): Wanted.usual(OTHERS[name], table) for name, table in others.items() if table},
    }
