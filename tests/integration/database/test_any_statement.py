"""The database as a team's own jobs have it: transactions, beside the worker's own statements, which have none."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from storage.errors import StorageAwayError, StorageUnavailableError
from storage.facade import Storage
from storage.settings import DatabaseSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture(params=["sqlite", "postgres"])
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Storage]:
    """A database without any table that Pushmill knows; it is not connected before the first statement."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/app.db"
        sqlite3.connect(tmp_path / "app.db").close()
    else:
        url = request.getfixturevalue("postgres_url")
    storage = Storage(DatabaseSettings(database_url=url))
    assert () == await storage.connect()
    assert {} == storage.checks()
    async with storage.engine().begin() as connection:
        await connection.execute(text("DROP TABLE IF EXISTS invoices"))
        await connection.execute(text("CREATE TABLE invoices (id TEXT)"))
    yield storage
    await storage.close()


async def ids(storage: Storage) -> list[str]:
    """What is committed."""
    async with storage.engine().connect() as connection:
        return list((await connection.execute(text("SELECT id FROM invoices ORDER BY id"))).scalars())


async def test_a_transaction(storage: Storage) -> None:
    """It is committed at the end of its block, and rolled back by an exception."""
    insert = text("INSERT INTO invoices VALUES (:id)")
    async with storage.engine().begin() as connection:
        await connection.execute(insert, {"id": "a"})
    with contextlib.suppress(ZeroDivisionError):
        async with storage.engine().begin() as connection:
            await connection.execute(insert, {"id": "b"})
            raise ZeroDivisionError
    async with storage.engine().connect() as connection:
        await connection.execute(insert, {"id": "c"})

    assert ["a"] == await ids(storage)


async def test_other_statements_are_still_their_own_transactions(storage: Storage) -> None:
    """The connections are shared, and go back as they were."""
    async with storage.engine().begin() as connection:
        await connection.execute(text("SELECT 1"))
    database = await storage._late.get()
    async with database.connection(writes=True) as connection:
        await connection.execute(text("INSERT INTO invoices VALUES ('d')"))

    assert ["d"] == await ids(storage)


async def test_without_a_database(tmp_path: Path) -> None:
    """The error names the variable; a database that can't be opened gives its reason at each use."""
    with pytest.raises(StorageUnavailableError, match="DATABASE_URL: not set, and a job uses the database"):
        Storage().engine()
    with pytest.raises(StorageUnavailableError, match="STORAGE_URL: not set, and a job uses the object store"):
        Storage().objects()
    missing = Storage(DatabaseSettings(database_url=f"sqlite:///{tmp_path}/none.db")).engine()
    with pytest.raises(StorageAwayError, match="there is no such file"):
        async with missing.begin():
            pass


async def test_a_cut_connection_is_an_outage(postgres_url: str) -> None:
    """A job waits until the database is back. A statement's own error is the team's."""
    storage = Storage(DatabaseSettings(database_url=postgres_url))
    with pytest.raises(StorageAwayError, match=r"the database (does not answer|is being started or stopped)"):
        async with storage.engine().begin() as connection:
            await connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    with pytest.raises(ProgrammingError, match="nowhere"):
        async with storage.engine().begin() as connection:
            await connection.execute(text("SELECT * FROM nowhere"))

    await storage.close()
