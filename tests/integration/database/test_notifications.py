"""The rows that tell users something, in the app's database."""

from __future__ import annotations

import asyncio
import json
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from storage.notifications import SqlNotifications
from storage.ports import Notice
from storage.tables import AppTable
from tests.support.prisma import INTEGER_IDS, App, open_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from storage.database import Database

NOTIFICATIONS = """CREATE TABLE "Notification" ("id" {id}, "userId" {user} NOT NULL,
    "type" {type} NOT NULL DEFAULT 'info', "title" VARCHAR(40) NOT NULL, "body" TEXT NOT NULL, "url" TEXT,
    "metadata" {json}, "dedupeKey" TEXT, "jobKey" TEXT UNIQUE, "readAt" TIMESTAMP(3),
    "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP{more})"""
NOTICE = Notice("Hello", "You have mail", "success", "/mail", {"from": "Zoë", "n": [1]})


def create(app: App, **columns: str) -> None:
    """The app's table; `columns` by the names in its text."""
    is_sqlite = app.url.startswith("sqlite")
    numbers = "INTEGER PRIMARY KEY AUTOINCREMENT" if is_sqlite else "SERIAL PRIMARY KEY"
    usual = {
        "id": numbers if app.ids == INTEGER_IDS else f"{app.id_type} PRIMARY KEY",
        "user": app.id_type,
        "json": "JSONB",
        "type": "TEXT",
        "more": "",
    }
    app.sql(NOTIFICATIONS.format(**usual | columns))


def keys(*users: str, job: int = 1) -> dict[str, str]:
    """Keys as a job makes them."""
    return {user: str(uuid.uuid5(uuid.NAMESPACE_OID, f"{job} {user}")) for user in users}


@pytest.fixture
async def database(app: App) -> AsyncIterator[Database]:
    """The worker's connection to a database with the table."""
    create(app)
    database = await open_database(app.url, {AppTable.NOTIFICATION}, notification_table="Notification")
    yield database
    await database.close()


@pytest.fixture
def notifications(database: Database) -> SqlNotifications:
    """The port under test."""
    return SqlNotifications(database)


def rows(app: App) -> list[dict[str, Any]]:
    """All rows."""
    return app.sql('SELECT * FROM "Notification" ORDER BY "userId", "createdAt"')


async def test_a_row_has_what_it_is_to_say(app: App, notifications: SqlNotifications) -> None:
    """In the columns that the table has; the result has the row's id as text."""
    [user] = app.ids[:1]

    told = await notifications.add(NOTICE, keys(user))

    [row] = rows(app)
    assert {user: str(row["id"])} == told.rows
    assert (user, "Hello", "You have mail") == (str(row["userId"]), row["title"], row["body"])
    assert ("success", "/mail", None, None) == (row["type"], row["url"], row["dedupeKey"], row["readAt"])
    given = row["metadata"]
    assert NOTICE.metadata == (json.loads(given) if isinstance(given, str) else given)
    assert row["createdAt"] is not None


async def test_a_second_run_adds_nothing(app: App, notifications: SqlNotifications) -> None:
    """It finds the same rows, and adds those that are missing. Users whom the database can't have are unknown."""
    users = app.ids[:3]
    first = await notifications.add(NOTICE, keys("\0", *users[:2], "a\0b"))

    second = await notifications.add(NOTICE, keys(*users))

    assert frozenset({"\0", "a\0b"}) == first.unknown
    assert list(users) == list(second.rows)
    assert first.rows == {user: second.rows[user] for user in users[:2]}
    assert 3 == len(rows(app))


async def test_a_user_is_told_once_while_it_is_unread(app: App, notifications: SqlNotifications) -> None:
    """Of two jobs with one key; a third one after it was read tells again."""
    one, other = app.ids[:2]
    notice = replace(NOTICE, dedupe_key="room:1")
    await notifications.add(notice, keys(one))

    told = await notifications.add(notice, keys(one, other, job=2))
    again = await notifications.add(notice, keys(one))
    app.sql('UPDATE "Notification" SET "readAt" = CURRENT_TIMESTAMP')
    third = await notifications.add(notice, keys(one, job=3))

    assert [other] == list(told.rows)
    assert [one] == list(again.rows)
    assert [one] == list(third.rows)
    assert not told.unknown
    assert 3 == len(rows(app))


async def test_jobs_with_one_key_wait_for_each_other(app: App, notifications: SqlNotifications) -> None:
    """Ten at once add one row."""
    notice = replace(NOTICE, dedupe_key="room:1")

    told = await asyncio.gather(*(notifications.add(notice, keys(app.ids[0], job=job)) for job in range(10)))

    assert 1 == len(rows(app)) == sum(len(each.rows) for each in told)


async def test_unread_rows_are_counted(app: App, notifications: SqlNotifications) -> None:
    """For each user, also one without any, and one whom the database can't have."""
    one, other, none = app.ids[:3]
    await notifications.add(NOTICE, keys(one, other))
    await notifications.add(NOTICE, keys(one, job=2))
    app.sql(f"""UPDATE "Notification" SET "readAt" = CURRENT_TIMESTAMP WHERE "userId" = '{other}'""")  # noqa: S608

    assert {one: 2, other: 0, none: 0, "\0": 0} == await notifications.unread([one, other, none, "\0"])
    assert {one: 2} == await notifications.unread([one])


async def test_hostile_texts_are_only_texts(app: App, notifications: SqlNotifications) -> None:
    """Nothing of them is SQL or a parameter; one is cut to its column, by characters."""
    text = '\'); DROP TABLE "Notification"; -- %s %(x)s :x \\ \n\u202e'
    notice = Notice(text, text, text, text, {text: text}, text)

    await notifications.add(notice, keys(app.ids[0]))

    assert [(text[:40], text, text, text)] == [(r["title"], r["body"], r["type"], r["dedupeKey"]) for r in rows(app)]
