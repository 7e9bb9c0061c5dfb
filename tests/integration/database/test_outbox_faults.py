"""Rounds of the outbox in Postgres that fail: by an error, on a line that is cut or silent, by a text."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from storage.errors import StorageAwayError
from storage.outbox import SqlOutbox
from storage.tables import AppTable
from tests.support.outbox import add_outbox, event, published
from tests.support.polling import until
from tests.support.prisma import TEXT_IDS, App, open_database
from tests.support.silent_link import SilentLink

if TYPE_CHECKING:
    from tests.support.postgres import PostgresServer


async def test_an_error_in_a_round_ends_its_turn(postgres_url: str) -> None:
    """At once: the connection that goes back into the pool does not keep the lock."""
    app = App(postgres_url, TEXT_IDS)
    add_outbox(app)
    app.insert("Outbox", event(1))
    both = [await open_database(app.url, {AppTable.OUTBOX}, outbox_table="Outbox") for _ in range(2)]
    first, second = map(SqlOutbox, both)

    with pytest.raises(ZeroDivisionError):
        async with first.round():
            raise ZeroDivisionError
    assert [1] == await published(second)
    for database in both:
        await database.close()


LATIN = "CREATE DATABASE latin TEMPLATE template0 ENCODING LATIN1 LC_COLLATE 'C' LC_CTYPE 'C'"


async def test_a_database_may_have_another_encoding(postgres_server: PostgresServer) -> None:
    """A reason that it can't write keeps no round from its end, and a table's name may have its letters."""
    postgres_server.run("postgres", LATIN)
    app = App(f"{postgres_server.url('latin')}&client_encoding=utf8", TEXT_IDS)
    add_outbox(app)
    app.sql('ALTER TABLE "Outbox" RENAME TO "Boîte"')
    app.insert("Boîte", event(1), event(2))
    database = await open_database(postgres_server.url("latin"), {AppTable.OUTBOX}, outbox_table="Boîte")

    assert [1, 2] == await published(SqlOutbox(database), {1: "5 € 'more'"})
    assert [(1, "5 ? 'more'", False), (2, None, True)] == [
        (row["id"], row["error"], row["publishedAt"] is not None)
        for row in app.sql('SELECT * FROM "Boîte" ORDER BY id')
    ]
    await database.close()
    postgres_server.run("postgres", "DROP DATABASE latin WITH (FORCE)")


async def test_a_round_that_is_cut_is_told_by_its_error_alone(
    postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The pool makes a new connection, and says nothing into the log."""
    app = App(postgres_url, TEXT_IDS)
    add_outbox(app)
    app.insert("Outbox", event(1))
    database = await open_database(app.url, {AppTable.OUTBOX}, outbox_table="Outbox")

    with pytest.raises(StorageAwayError):
        async with SqlOutbox(database).round():
            app.sql("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
    assert [1] == await published(SqlOutbox(database))
    assert [] == caplog.records
    await database.close()


async def test_a_round_whose_line_goes_silent_ends(
    postgres_server: PostgresServer, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one has a new connection, and the rows of this one when Postgres has ended its transaction."""
    monkeypatch.setattr("storage.outbox_rounds.SILENCE", 50)
    monkeypatch.setattr("storage.outbox_rounds.ROLLBACK", 0.01)
    app = App(postgres_url, TEXT_IDS)
    add_outbox(app)
    app.insert("Outbox", event(1))
    name = postgres_url.partition("@/")[2].partition("?")[0]
    async with SilentLink(postgres_server.directory / ".s.PGSQL.5432") as link:
        url = f"postgres://postgres@127.0.0.1:{link.port}/{name}?sslmode=disable"
        database = await open_database(url, {AppTable.OUTBOX}, outbox_table="Outbox")

        async def fail() -> None:
            async with SqlOutbox(database).round():
                link.cut()
                raise ZeroDivisionError

        async def rows() -> list[int]:
            async with SqlOutbox(database).round() as found:
                return [row.id for row in found.rows] if found is not None else []

        with pytest.raises(ZeroDivisionError):
            await fail()
        monkeypatch.undo()
        found: list[int] = await until(rows)
        assert [1] == found
        await database.close()


async def test_a_publisher_whose_machine_is_gone_does_not_hold_the_lock(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Postgres ends a transaction that says nothing more, here after a moment."""
    monkeypatch.setattr("storage.outbox_rounds.SILENCE", 50)
    app = App(postgres_url, TEXT_IDS)
    add_outbox(app)
    app.insert("Outbox", event(1))
    gone, other = [await open_database(app.url, {AppTable.OUTBOX}, outbox_table="Outbox") for _ in range(2)]

    async def say_nothing() -> None:
        async with SqlOutbox(gone).round() as found:
            assert found is not None
            monkeypatch.undo()
            while not await is_free():
                await asyncio.sleep(0)

    async def is_free() -> bool:
        async with SqlOutbox(other).round() as found:
            return found is not None

    with pytest.raises(StorageAwayError):
        await say_nothing()
    for database in (gone, other):
        await database.close()
