"""An app's empty database, with ids of each kind, and the worker's connection to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from storage.files import SqlFiles
from storage.subscriptions import SqlSubscriptions
from storage.tables import AppTable
from tests.support.export_rows import exports_of
from tests.support.pgbouncer import pgbouncer_of
from tests.support.prisma import FILES, INTEGER_IDS, SUBSCRIPTIONS, TEXT_IDS, UUID_IDS, App, open_database
from tests.support.programs import CiSettings, find_program

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from storage.database import Database
    from storage.ports import Exports
    from tests.support.pgbouncer import PgBouncer
    from tests.support.postgres import PostgresServer


@pytest.fixture(params=["postgres-text", "postgres-integer", "postgres-uuid", "sqlite-text", "sqlite-integer"])
def app(request: pytest.FixtureRequest, tmp_path: Path) -> App:
    """An app's database with its two tables, empty."""
    server, kind = request.param.split("-")
    ids = {"text": TEXT_IDS, "integer": INTEGER_IDS, "uuid": UUID_IDS}[kind]
    url = request.getfixturevalue("postgres_url") if server == "postgres" else f"sqlite:///{tmp_path}/dev.db"
    app = App(url, ids)
    app.sql(SUBSCRIPTIONS.format(id=kind.upper()))
    app.sql(FILES.format(id=kind.upper()))
    return app


@pytest.fixture(params=["postgres", "sqlite"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> App:
    """A database that exists and has no table."""
    if request.param == "postgres":
        return App(request.getfixturevalue("postgres_url"), TEXT_IDS)
    app = App(f"sqlite:///{tmp_path}/dev.db", TEXT_IDS)
    app.sql("VACUUM")
    return app


@pytest.fixture
async def database(app: App) -> AsyncIterator[Database]:
    """The worker's connection to it."""
    database = await open_database(app.url, set(AppTable))
    yield database
    await database.close()


@pytest.fixture
def subscriptions(database: Database) -> SqlSubscriptions:
    """The port under test."""
    return SqlSubscriptions(database)


@pytest.fixture
def files(database: Database) -> SqlFiles:
    """The port under test."""
    return SqlFiles(database)


@pytest.fixture
async def exports(app: App) -> AsyncIterator[Exports]:
    """The port under test."""
    async with exports_of(app.url) as found:
        yield found


@pytest.fixture
def pgbouncer() -> str:
    """The path of the program."""
    missing = "PgBouncer is not installed: apt-get install pgbouncer"
    return find_program(CiSettings(), missing, "pgbouncer", "/usr/sbin/pgbouncer")


@pytest.fixture
def bouncer(pgbouncer: str, postgres_server: PostgresServer) -> Iterator[PgBouncer]:
    """One that runs, and keeps statements waiting."""
    with pgbouncer_of(pgbouncer, postgres_server) as bouncer, bouncer.running():
        yield bouncer
