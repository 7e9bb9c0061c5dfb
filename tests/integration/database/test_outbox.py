"""The app's outbox in the database: which rows a round has, and what becomes of them."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from contextlib import aclosing, closing
from typing import TYPE_CHECKING

import psycopg
import pytest

from storage.errors import SchemaError, StorageAwayError
from storage.outbox import SqlOutbox
from storage.outbox_rows import MAX_PAYLOAD
from storage.tables import AppTable
from tests.support.outbox import POSTGRES, SQLITE, add_outbox, event, published
from tests.support.prisma import TEXT_IDS, App, open_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from storage.database import Database


@pytest.fixture
def app(empty: App) -> App:
    """An app with an outbox."""
    add_outbox(empty)
    return empty


@pytest.fixture
async def database(app: App) -> AsyncIterator[Database]:
    """The worker's side."""
    database = await open_database(app.url, {AppTable.OUTBOX}, outbox_table="Outbox")
    yield database
    await database.close()


@pytest.fixture
def outbox(database: Database) -> SqlOutbox:
    """The port under test."""
    return SqlOutbox(database)


async def test_rows_are_published_once_in_the_order_of_their_ids(app: App, outbox: SqlOutbox) -> None:
    """With all that an event has; a time without a zone is in UTC."""
    app.insert("Outbox", event(7, payload='{"n": 1}'), event(8, "message.deleted"))

    async with outbox.round() as found:
        assert found is not None
        [first, second] = found.rows
        assert found.is_last
    assert (1, "message.created", "message", "7") == (first.id, first.topic, first.aggregate_type, first.aggregate_id)
    assert '{"n": 1}' == first.payload
    assert abs(first.created_at - time.time()) < 120
    assert "message.deleted" == second.topic
    assert [] == await published(outbox)


async def test_without_open_rows_no_turn_is_taken_in_sqlite(tmp_path: Path) -> None:
    """The app's own writers have SQLite for themselves; a row waits for them."""
    path = tmp_path / "dev.db"
    app = App(f"sqlite:///{path}", TEXT_IDS)
    app.sql(SQLITE)
    database = await open_database(app.url, {AppTable.OUTBOX}, outbox_table="Outbox")
    outbox = SqlOutbox(database)
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        async with outbox.round() as found:
            assert found is not None
            assert ([], True) == (found.rows, found.is_last)
        writer.execute("ROLLBACK")
    app.insert("Outbox", event(7))
    assert [1] == await published(outbox)
    await database.close()


async def test_an_error_in_a_round_leaves_its_rows_as_they_are(app: App, outbox: SqlOutbox) -> None:
    """They are published by the next round."""
    app.insert("Outbox", event(7))

    with pytest.raises(ZeroDivisionError):
        async with outbox.round():
            raise ZeroDivisionError
    assert [1] == await published(outbox)


async def test_a_bad_row_is_seen_and_stands_in_nobodys_way(app: App, outbox: SqlOutbox) -> None:
    """It is published when somebody replays it, and not at all if it is skipped."""
    app.insert("Outbox", event(1), event(2), event(3))

    assert [1, 2, 3] == await published(outbox, {1: "no such job\0", 2: "x" * 9999})
    backlog = await outbox.backlog()
    assert (0, 2, None) == (backlog.unpublished, backlog.bad, backlog.oldest)
    assert [(1, "no such job"), (2, "x" * 500)] == [(row.id, row.error) for row in backlog.bad_rows]
    assert 1 == await outbox.skip([2, 3, 99])
    assert 1 == await outbox.replay([])
    assert [1] == await published(outbox)
    assert 1 == await outbox.replay([3])
    assert [3] == await published(outbox)
    assert 0 == (await outbox.backlog()).bad


async def test_a_round_fits_into_memory(app: App, outbox: SqlOutbox) -> None:
    """A payload that is too large is left out of it, and a round has at most 500 rows and 4 MiB."""
    large, too_large = f'"{"x" * (MAX_PAYLOAD - 2)}"', f'"{"x" * MAX_PAYLOAD}"'
    app.insert("Outbox", event(0, payload=too_large), *(event(1, payload=large) for _ in range(9)))
    app.insert("Outbox", *(event(2) for _ in range(600)))

    async with outbox.round() as found:
        assert found is not None
        assert [None, *[MAX_PAYLOAD] * 7] == [row.payload and len(row.payload) for row in found.rows]
        assert not found.is_last
    assert 500 == len(await published(outbox))
    assert 102 == len(await published(outbox))


async def test_old_rows_are_deleted(app: App, outbox: SqlOutbox) -> None:
    """Those that are published; a bad one stays."""
    app.insert("Outbox", event(1), event(2), event(3))
    await published(outbox, {3: "bad"})
    app.sql("""UPDATE "Outbox" SET "publishedAt" = '2026-01-01 00:00:00.000' WHERE id = 1""")

    assert 1 == await outbox.clear(3600.0)
    assert 0 == await outbox.clear(3600.0)
    assert [2, 3] == [row["id"] for row in app.sql('SELECT id FROM "Outbox" ORDER BY id')]


async def test_a_row_that_was_replayed_keeps_no_old_one_from_deletion(app: App, outbox: SqlOutbox) -> None:
    """It is the first one, and young; the deletion looks at the first published rows only."""
    app.insert("Outbox", event(1), event(2), event(3))
    await published(outbox)
    app.sql("""UPDATE "Outbox" SET "publishedAt" = '2026-01-01 00:00:00.000' WHERE id = 2""")

    assert 1 == await outbox.clear(3600.0)
    assert [1, 3] == [row["id"] for row in app.sql('SELECT id FROM "Outbox" ORDER BY id')]


async def test_a_payload_that_is_null_is_null(empty: App) -> None:
    """An app may have made the column optional."""
    shape = SQLITE if empty.url.startswith("sqlite") else POSTGRES
    empty.sql(shape.replace('"payload" JSONB NOT NULL', '"payload" JSONB'))
    empty.sql("""INSERT INTO "Outbox" (topic, "aggregateType", "aggregateId") VALUES ('a.b', 'a', '1')""")
    database = await open_database(empty.url, {AppTable.OUTBOX}, outbox_table="Outbox")

    async with SqlOutbox(database).round() as found:
        assert found is not None
        assert ["null"] == [row.payload for row in found.rows]
    await database.close()


async def test_two_workers_share_a_file_of_sqlite(tmp_path: Path) -> None:
    """And the app writes meanwhile: each waits for its turn, and none publishes what another has published."""
    sqlite_app = App(f"sqlite:///{tmp_path}/dev.db", TEXT_IDS)
    add_outbox(sqlite_app)
    both = [await open_database(sqlite_app.url, {AppTable.OUTBOX}, outbox_table="Outbox") for _ in range(2)]

    async def publish(database: Database) -> list[int]:
        return [row for _ in range(20) for row in await published(SqlOutbox(database))]

    async def write() -> None:
        for number in range(1, 21):
            await asyncio.to_thread(sqlite_app.insert, "Outbox", event(number))

    first, second, _ = await asyncio.gather(publish(both[0]), publish(both[1]), write())

    rest = await published(SqlOutbox(both[0]))
    assert list(range(1, 21)) == sorted([*first, *second, *rest])
    for database in both:
        await database.close()


async def test_a_lower_id_that_is_committed_later_is_not_lost(postgres_url: str) -> None:
    """Ids are given before commits: a reader by id would never see it."""
    app = App(postgres_url, TEXT_IDS)
    add_outbox(app)
    database = await open_database(app.url, {AppTable.OUTBOX}, outbox_table="Outbox")
    outbox = SqlOutbox(database)
    with psycopg.connect(app.url) as slow:
        insert = (
            """INSERT INTO "Outbox" (topic, "aggregateType", "aggregateId", payload) VALUES ('a.b', 'a', '1', '{}')"""
        )
        slow.execute(insert.encode())
        app.insert("Outbox", event(2))

        assert [2] == await published(outbox)
        slow.commit()

        assert [1] == await published(outbox)
    await database.close()


async def test_one_publishes_at_a_time(postgres_url: str) -> None:
    """A second one gets nothing meanwhile, and afterwards what the first one has left."""
    app = App(postgres_url, TEXT_IDS)
    add_outbox(app)
    app.insert("Outbox", event(1))
    both = [await open_database(app.url, {AppTable.OUTBOX}, outbox_table="Outbox") for _ in range(2)]
    first, second = map(SqlOutbox, both)

    async with first.round() as found, second.round() as other:
        assert found is not None
        assert other is None
    assert [] == await published(second)
    for database in both:
        await database.close()


async def test_a_notification_of_postgres_is_heard(postgres_url: str) -> None:
    """Once it listens, which it says."""
    app = App(postgres_url, TEXT_IDS)
    add_outbox(app)
    database = await open_database(app.url, {AppTable.OUTBOX}, outbox_table="Outbox")

    async with aclosing(SqlOutbox(database).heard("app outbox")) as heard:
        await anext(heard)
        app.sql("""SELECT pg_notify('app outbox', '')""")
        await asyncio.wait_for(anext(heard), 60)
        app.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
        with pytest.raises(StorageAwayError):
            await anext(heard)
    await database.close()


async def test_ids_must_be_numbers(empty: App) -> None:
    """They are the order."""
    shape = SQLITE if empty.url.startswith("sqlite") else POSTGRES
    empty.sql(shape.replace("INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT", "TEXT").replace("BIGSERIAL", "TEXT"))
    database = await open_database(empty.url, {AppTable.OUTBOX}, outbox_table="Outbox")

    with pytest.raises(SchemaError, match="needs numbers as ids"):
        SqlOutbox(database)
    await database.close()
