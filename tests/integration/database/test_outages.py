"""A database that can't be reached, does not exist, or does not answer: at the start, and while jobs run."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from storage import database as database_module
from storage.errors import RowNotFoundError, StorageAwayError, StorageUnavailableError
from storage.files import SqlFiles
from storage.tables import AppTable
from tests.support.prisma import FILES, TEXT_IDS, App, open_database

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres import PostgresServer


async def test_an_unreachable_server(unused_port: int) -> None:
    """It is named by host and port, without the password; it may come later."""
    with pytest.raises(StorageAwayError) as caught:
        await open_database(f"postgres://me:hunter2@127.0.0.1:{unused_port}/shop", set(AppTable))

    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"DATABASE_URL: the database at 127.0.0.1:{unused_port} can't be used: connection failed")
    assert "hunter2" not in line


@pytest.fixture
def unused_port() -> int:
    """A TCP port on which nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


async def test_a_missing_database(postgres_server: PostgresServer) -> None:
    """The error has its name."""
    with pytest.raises(StorageUnavailableError, match='database "nowhere" does not exist'):
        await open_database(postgres_server.url("nowhere"), set(AppTable))


async def test_a_missing_sqlite_file(tmp_path: Path) -> None:
    """A missing SQLite file is an error; it is not created."""
    with pytest.raises(
        StorageUnavailableError, match=f"the database at {tmp_path}/dev.db can't be used: there is no such"
    ):
        await open_database(f"sqlite:///{tmp_path}/dev.db", set(AppTable))

    assert not (tmp_path / "dev.db").exists()


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    """The error has its name."""
    (tmp_path / "dev.db").write_bytes(b"no database" * 100)

    with pytest.raises(
        StorageUnavailableError, match=f"the database at {tmp_path}/dev.db can't be used: file is not a"
    ):
        await open_database(f"sqlite:///{tmp_path}/dev.db", set(AppTable))


async def test_a_restart_of_the_server(postgres_url: str) -> None:
    """After the server has dropped all connections, the next statement works."""
    app = App(postgres_url, TEXT_IDS)
    app.sql(FILES.format(id="TEXT"))
    app.add_files()
    database = await open_database(app.url, {AppTable.FILE})
    app.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pushmill'")

    await SqlFiles(database).mark_processed(app.ids[0], {})
    await database.close()

    assert [{"id": app.ids[0]}] == app.sql('SELECT "id" FROM "File" WHERE "processed"')


async def test_a_server_that_is_gone(monkeypatch: pytest.MonkeyPatch, postgres_url: str) -> None:
    """An outage while jobs run is another error than a wrong statement."""
    app = App(postgres_url, TEXT_IDS)
    app.sql(FILES.format(id="TEXT"))
    database = await open_database(app.url, {AppTable.FILE})

    with monkeypatch.context() as patch:
        patch.setattr(database, "_engine", SimpleNamespace(connect=_refuse))
        with pytest.raises(StorageAwayError, match="the database does not answer"):
            await SqlFiles(database).mark_processed("1", {})
    await database.close()


def _refuse() -> None:
    raise ConnectionRefusedError


async def test_a_statement_without_end(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement that takes too long counts as an outage, ends on the server too, and delays no later one."""
    app = App(postgres_url, TEXT_IDS)
    app.sql(FILES.format(id="TEXT"))
    database = await open_database(app.url, {AppTable.FILE})
    monkeypatch.setattr(database_module, "STATEMENT_TIMEOUT", 0.5)

    with pytest.raises(StorageAwayError, match="does not answer"):
        async with database.connection() as connection:
            await connection.execute(text("SELECT pg_sleep(60)"))

    assert [] == app.sql("SELECT pid FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%'")
    with pytest.raises(RowNotFoundError):
        await SqlFiles(database).mark_processed("unknown", {})
    await database.close()
