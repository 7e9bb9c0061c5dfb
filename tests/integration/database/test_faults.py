"""Databases that answer and can't serve, and connections that are cut silently."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import psycopg
import pytest

from storage.errors import StorageAwayError
from storage.files import SqlFiles
from storage.subscriptions import SqlSubscriptions
from storage.tables import AppTable
from tests.support.prisma import App, open_database, small_app
from tests.support.silent_link import SilentLink

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from storage.database import Database
    from tests.support.postgres import PostgresServer


@pytest.fixture
def app(postgres_url: str) -> App:
    """Two files and a subscription."""
    return small_app(postgres_url)


@pytest.fixture
async def database(app: App) -> AsyncIterator[Database]:
    """The database, opened by the worker."""
    database = await open_database(app.url, {AppTable.FILE, AppTable.PUSH_SUBSCRIPTION})
    yield database
    await database.close()


def _hang_up(app: App) -> None:
    app.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pushmill'")


async def test_a_database_that_is_read_only(app: App, database: Database) -> None:
    """Writers see an outage, and readiness names it before a job meets it; readers go on."""
    name = app.sql("SELECT current_database()")[0]["current_database"]
    app.sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    _hang_up(app)

    with pytest.raises(StorageAwayError, match=r"^the database is read-only \(25006\)$"):
        await database.check_writes()
    with pytest.raises(StorageAwayError, match=r"^the database is read-only \(25006\)$"):
        await SqlFiles(database).mark_processed(app.ids[0], {})
    await database.check()
    assert 1 == len(await SqlSubscriptions(database).of_user(app.ids[0]))

    with psycopg.connect(app.url, autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = off")
        connection.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only".encode())
    _hang_up(app)
    await SqlFiles(database).mark_processed(app.ids[0], {})
    await database.check_writes()


@pytest.mark.parametrize(
    ("harm", "mend", "expected"),
    [
        ('ALTER TABLE "File" RENAME TO "Files"', 'ALTER TABLE "Files" RENAME TO "File"', "lacks a table; .*42P01"),
        ('ALTER TABLE "File" RENAME "processed" TO "p"', 'ALTER TABLE "File" RENAME "p" TO "processed"', ".*42703"),
    ],
)
async def test_a_migration_that_goes_wrong(app: App, database: Database, harm: str, mend: str, expected: str) -> None:
    """A lost table or column is no job's fault; readiness names it until a job has found it again."""
    app.sql(harm)

    with pytest.raises(StorageAwayError, match=f"the database {expected}"):
        await SqlFiles(database).mark_processed(app.ids[0], {})
    with pytest.raises(StorageAwayError, match=f"the database {expected}"):
        await database.check_writes()

    app.sql(mend)
    await SqlFiles(database).mark_processed(app.ids[0], {})
    await database.check_writes()


async def test_a_table_that_may_not_be_read(app: App, postgres_server: PostgresServer) -> None:
    """A missing privilege is reported by its code, also on the way of every push job."""
    name = app.sql("SELECT current_database()")[0]["current_database"]
    role = f"worker_of_{name}"
    app.sql(f"CREATE ROLE {role} LOGIN")
    try:
        app.sql(f'GRANT SELECT ON "PushSubscription" TO {role}')
        url = f"postgres://{role}@/{name}?host={postgres_server.directory}"
        database = await open_database(url, {AppTable.PUSH_SUBSCRIPTION})
        subscriptions = SqlSubscriptions(database)
        assert 1 == len(await subscriptions.of_user(app.ids[0]))
        app.sql(f'REVOKE SELECT ON "PushSubscription" FROM {role}')  # noqa: S608 -- a test's own name

        with pytest.raises(StorageAwayError, match=r"the database lacks a privilege for this user \(42501\)"):
            await subscriptions.of_user(app.ids[0])
        with pytest.raises(StorageAwayError, match="42501"):
            await database.check()
        await database.close()
    finally:
        app.sql(f"DROP OWNED BY {role}")
        app.sql(f"DROP ROLE {role}")


async def test_a_server_with_no_connection_left(app: App) -> None:
    """A server that takes no more clients counts as away, and its message is kept."""
    name = app.sql("SELECT current_database()")[0]["current_database"]
    role = f"worker_of_{name}"
    app.sql(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 0")
    try:
        with pytest.raises(StorageAwayError, match="too many connections for role"):
            await open_database(app.url.replace("postgres@", f"{role}@"), {AppTable.PUSH_SUBSCRIPTION})
    finally:
        app.sql(f"DROP ROLE {role}")


async def test_connections_that_are_cut_without_a_word(app: App, postgres_server: PostgresServer) -> None:
    """A push and a file job go on over a new connection within seconds; no statement waits its full 30."""
    name = app.sql("SELECT current_database()")[0]["current_database"]
    async with SilentLink(postgres_server.directory / ".s.PGSQL.5432") as link:
        url = f"postgres://postgres@127.0.0.1:{link.port}/{name}?sslmode=disable"
        database = await open_database(url, {AppTable.FILE, AppTable.PUSH_SUBSCRIPTION})
        subscriptions, files = SqlSubscriptions(database), SqlFiles(database)
        await asyncio.gather(*(files.mark_processed(app.ids[0], {"width": number}) for number in range(5)))
        await subscriptions.of_user(app.ids[0])
        link.cut()
        assert 0 == link.open

        began = time.monotonic()
        assert 1 == len(await subscriptions.of_user(app.ids[0]))
        await files.mark_processed(app.ids[0], {"width": 7})
        spent = time.monotonic() - began

        assert link.open > 0
        assert spent < 20.0  # it takes 8, and took 40
        await database.close()
