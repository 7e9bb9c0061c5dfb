"""The app's database through PgBouncer in transaction mode: each transaction may run in another session."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import text

from storage import database as database_module
from storage import patience
from storage.database import Database
from storage.errors import StorageAwayError, StorageUnavailableError
from storage.files import SqlFiles
from storage.models import Dated
from storage.notifications import SqlNotifications
from storage.old_rows import SqlOldRows
from storage.outbox import SqlOutbox
from storage.ports import Span
from storage.search_rows import SqlSearchRows
from storage.subscriptions import SqlSubscriptions
from storage.tables import AppTable, Wanted
from tests.integration.database.test_notifications import NOTICE, NOTIFICATIONS
from tests.support.outbox import add_outbox, event, published
from tests.support.pgbouncer import SIZE, PgBouncer, pgbouncer_of
from tests.support.prisma import App, open_database, small_app
from tests.support.scripts import run_script

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.matrix

BOTH = {AppTable.FILE, AppTable.PUSH_SUBSCRIPTION}
SESSION = """SELECT current_setting('statement_timeout'), current_setting('transaction_read_only'),
    current_setting('idle_in_transaction_session_timeout'), current_setting('IntervalStyle'),
    coalesce(current_setting('pushmill.turn', true), '')"""


@pytest.fixture
def app(postgres_url: str) -> App:
    """Two files and a subscription. The app itself has a direct connection."""
    return small_app(postgres_url)


@asynccontextmanager
async def opened(url: str, needs: Sequence[AppTable] | set[AppTable], **names: str) -> AsyncIterator[Database]:
    """The worker's side."""
    database = await open_database(url, needs, **names)
    try:
        yield database
    finally:
        await database.close()


@contextmanager
def full(url: str) -> Iterator[None]:
    """Transactions of the app that have all of PgBouncer's connections."""
    held = [psycopg.connect(url) for _ in range(SIZE)]
    try:
        for connection in held:
            connection.execute("SELECT 1")
        yield
    finally:
        for connection in held:
            connection.close()


@pytest.mark.parametrize("more", ["", "?pgbouncer=true&connection_limit=1&schema=public"])
async def test_more_statements_at_once_than_connections(app: App, bouncer: PgBouncer, more: str) -> None:
    """Pushes read and file jobs write; the database is fit for both."""
    async with opened(bouncer.url(app.name, more), BOTH) as database:
        subscriptions, files = SqlSubscriptions(database), SqlFiles(database)
        marks = (files.mark_processed(id_, {"width": 7}) for id_ in app.ids[:2] * 10)
        found, *_ = await asyncio.gather(subscriptions.of_user(app.ids[0]), *marks)
        await database.check()
        await database.check_writes()
    assert [app.ids[0]] == [row.id for row in found or []]
    assert [7, 7] == [row["width"] for row in app.sql('SELECT "width" FROM "File" WHERE "processed"')]


async def test_two_publishers(app: App, bouncer: PgBouncer) -> None:
    """One has the lock, the other nothing; after the round the lock and its settings are gone from the session."""
    add_outbox(app)
    app.insert("Outbox", *(event(number) for number in range(3)))
    url = bouncer.url(app.name)
    async with (
        opened(url, {AppTable.OUTBOX}, outbox_table="Outbox") as one,
        opened(url, {AppTable.OUTBOX}, outbox_table="Outbox") as two,
    ):
        first, second = SqlOutbox(one), SqlOutbox(two)
        for _ in range(2):
            async with first.round() as found, second.round() as other:
                assert found is not None
                assert other is None
                found.bad.update({row.id: "bad" for row in found.rows if row.id == 2})
            assert [] == await published(second)
        assert 1 == (await second.backlog()).bad
        await second.replay([2])
        assert [2] == await published(second)
    assert_untouched(url)


async def test_search_rows_and_old_rows(app: App, bouncer: PgBouncer) -> None:
    """They are read, counted and deleted within bounds, which end with the transaction."""
    app.sql("""CREATE VIEW "search_File" AS SELECT "id", "name" FROM "File" """)
    app.sql("""UPDATE "File" SET "updatedAt" = '2000-01-01' WHERE "id" = 'ckx2'""")
    url = bouncer.url(app.name)
    database = await Database.open(url, {AppTable.LOGS: Wanted(Dated, "File", {"at": "updatedAt"}, ["at"])})
    rows, old = SqlSearchRows(database), SqlOldRows(database, AppTable.LOGS)

    counts = await asyncio.gather(*(rows.count("File", Span()) for _ in range(6)))
    assert [(2, 2)] * 6 == counts
    assert ["ckx1", "ckx2"] == [row.id for row in await rows.page("File", None, 10, Span())]
    assert '{"name":"holiday"}' == (await rows.with_ids("File", ["ckx1"]))["ckx1"].document
    assert [1, 1, 0] == [await old.count(60.0, 9), await old.delete(60.0, 9), await old.count(60.0, 9)]
    await database.close()
    assert_untouched(url)


def assert_untouched(url: str) -> None:
    """No session of PgBouncer's has a setting of the worker's."""
    held = [psycopg.connect(url) for _ in range(SIZE)]
    assert {("0", "off", "0", "postgres", "")} == {each.execute(SESSION).fetchone() for each in held}
    for each in held:
        each.close()


async def test_notifications_of_one_key_at_once(app: App, bouncer: PgBouncer) -> None:
    """The lock of the key holds across sessions: one row."""
    columns = {"id": "SERIAL PRIMARY KEY", "user": "TEXT", "json": "JSONB", "type": "TEXT", "more": ""}
    app.sql(NOTIFICATIONS.format(**columns))
    names = {"notification_table": "Notification"}
    async with opened(bouncer.url(app.name), {AppTable.NOTIFICATION}, **names) as database:
        notifications, notice = SqlNotifications(database), replace(NOTICE, dedupe_key="mail")
        await asyncio.gather(*(notifications.add(notice, {"ckx1": f"key {number}"}) for number in range(8)))
    assert 1 == len(app.sql('SELECT 1 FROM "Notification"'))


async def test_a_script(app: App, bouncer: PgBouncer) -> None:
    """It reads and writes as the worker does."""
    add_outbox(app)
    app.insert("Outbox", event(1))
    env = {"DATABASE_URL": bouncer.url(app.name, "?pgbouncer=true"), "OUTBOX_TABLE": "Outbox"}
    answer = await run_script("outbox", "skip", "1", env=env)
    assert 0 == answer.status, answer
    assert 0 == (await run_script("outbox", "--json", env=env)).json["unpublished"]


async def test_a_restart(app: App, pgbouncer: str, postgres_server: PostgresServer) -> None:
    """While it is away nothing is refused for good; the first statements after it is back work."""
    with pgbouncer_of(pgbouncer, postgres_server) as bouncer:
        with bouncer.running():
            database = await open_database(bouncer.url(app.name), BOTH)
            subscriptions, files = SqlSubscriptions(database), SqlFiles(database)
            await subscriptions.of_user(app.ids[0])
        for call in (subscriptions.of_user(app.ids[0]), files.mark_processed(app.ids[0], {})):
            with pytest.raises(StorageAwayError, match="does not answer"):
                await call
        with bouncer.running():
            assert 1 == len(await subscriptions.of_user(app.ids[0]))
            await files.mark_processed(app.ids[0], {})
            await database.close()


async def test_all_connections_are_taken(app: App, bouncer: PgBouncer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement waits for one, longer than a kept connection has to answer."""
    monkeypatch.setattr(patience, "PING", 0.1)
    url = bouncer.url(app.name)
    async with opened(url, {AppTable.FILE}) as database:
        with full(url):
            marking = asyncio.create_task(SqlFiles(database).mark_processed(app.ids[0], {}))
            await asyncio.wait([marking], timeout=1.0)
            assert not marking.done()
        await marking
    assert 1 == len(app.sql('SELECT 1 FROM "File" WHERE "processed"'))


async def test_a_connection_comes_too_late(app: App, pgbouncer: str, postgres_server: PostgresServer) -> None:
    """PgBouncer ends the wait (query_wait_timeout): an outage, which is no job's fault, and passes."""
    with pgbouncer_of(pgbouncer, postgres_server, wait=1) as bouncer, bouncer.running():
        url = bouncer.url(app.name)
        async with opened(url, BOTH) as database:
            subscriptions, files = SqlSubscriptions(database), SqlFiles(database)
            with full(url):
                for call in (subscriptions.of_user(app.ids[0]), files.mark_processed(app.ids[0], {})):
                    with pytest.raises(StorageAwayError, match=r"^the database does not answer \(08P01\)$"):
                        await call
                with pytest.raises(StorageAwayError, match="query_wait_timeout"):
                    await open_database(url, BOTH)
            assert 1 == len(await subscriptions.of_user(app.ids[0]))
            await files.mark_processed(app.ids[0], {})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("postgres@", "bob@"), "authentication failed"),
        (("", "?options=-csearch_path%3Dapp"), "unsupported startup parameter"),
        (("", "?statement_timeout=5000"), 'invalid connection option "statement_timeout"'),
    ],
)
async def test_what_it_refuses_is_a_fault_of_the_settings(
    app: App, bouncer: PgBouncer, change: tuple[str, str], said: str
) -> None:
    """A worker does not wait for it to pass."""
    old, new = change
    url = bouncer.url(app.name)
    with pytest.raises(StorageUnavailableError, match=said):
        await open_database(url.replace(old, new) if old else url + new, BOTH)


async def test_nothing_is_heard(app: App, bouncer: PgBouncer, monkeypatch: pytest.MonkeyPatch) -> None:
    """PgBouncer passes no notification on to a client that waits, and the publisher's ear says so."""
    monkeypatch.setattr(database_module, "HEARD", 0.5)
    add_outbox(app)
    async with opened(bouncer.url(app.name), {AppTable.OUTBOX}, outbox_table="Outbox") as database:
        async with aclosing(SqlOutbox(database).heard("outbox")) as heard:
            with pytest.raises(StorageAwayError, match="do not arrive; is DATABASE_URL that of a pooler"):
                await anext(heard)
        await database.check()


async def test_a_statement_without_end(app: App, bouncer: PgBouncer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is cancelled on the server, through PgBouncer."""
    async with opened(bouncer.url(app.name), {AppTable.FILE}) as database:
        monkeypatch.setattr(database_module, "STATEMENT_TIMEOUT", 0.5)
        with pytest.raises(StorageAwayError, match="does not answer"):
            async with database.connection() as connection:
                await connection.execute(text("SELECT pg_sleep(60)"))
    active = "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%'"
    assert [] == app.sql(active)
