"""Rows that are old: counted, looked at, and deleted in batches."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest

from storage import bounded
from storage.database import Database
from storage.errors import SchemaError, StatementRefusedError
from storage.models import Dated
from storage.old_rows import SqlOldRows
from storage.tables import AppTable, Wanted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.prisma import App

HOUR = 3600.0
SESSIONS = AppTable.SESSIONS


@asynccontextmanager
async def opened(app: App, table: str = "Ses:sion %", column: str = "ex%pi:res") -> AsyncIterator[SqlOldRows]:
    """The port under test, over names that drivers might read otherwise."""
    database = await Database.open(app.url, {SESSIONS: Wanted(Dated, table, {"at": column}, ["at"])})
    try:
        yield SqlOldRows(database, SESSIONS)
    finally:
        await database.close()


def is_sqlite(app: App) -> bool:
    """Whether it is SQLite."""
    return app.url.startswith("sqlite")


def sessions(app: App, *hours: float | None, form: str = "text", kind: str = "TIMESTAMP(3)") -> None:
    """A table of sessions that have ended so many hours ago."""
    app.sql(f'CREATE TABLE "Ses:sion %" ("id" TEXT PRIMARY KEY, "ex%pi:res" {kind}, "n" INTEGER)')
    for number, ago in enumerate(hours):
        app.sql(f"""INSERT INTO "Ses:sion %" VALUES ('s{number}', {moment(ago, form)}, {number})""")  # noqa: S608


def moment(ago: float | None, form: str = "text") -> str:
    """A time as Prisma writes it, in SQL."""
    if ago is None:
        return "NULL"
    then = datetime.now(UTC) - timedelta(hours=ago)
    return str(int(then.timestamp() * 1000)) if form == "milliseconds" else f"'{then:%Y-%m-%dT%H:%M:%S.%f}+00:00'"


def left(app: App) -> list[int]:
    """The rows that are still there."""
    return sorted(row["n"] for row in app.sql('SELECT "n" FROM "Ses:sion %"'))


@pytest.mark.parametrize("form", ["text", "milliseconds", "with a zone"])
async def test_only_what_is_old_is_deleted_and_the_oldest_first(empty: App, form: str) -> None:
    """A row without a time stays. Times are as Prisma writes them."""
    if form == ("with a zone" if is_sqlite(empty) else "milliseconds"):
        form = "text"
    sessions(empty, 3, 0.5, None, 5, -2, 4, form=form, kind="TIMESTAMPTZ" if form == "with a zone" else "TIMESTAMP(3)")

    async with opened(empty) as rows:
        assert [await rows.count(HOUR, 10), await rows.count(HOUR, 2), await rows.count(9 * HOUR, 9)] == [3, 2, 0]
        assert len(await rows.first(HOUR, 2)) == 2
        assert left(empty) == [0, 1, 2, 3, 4, 5]
        assert await rows.delete(HOUR, 2) == 2
        assert left(empty) == [0, 1, 2, 4]
        assert await rows.delete(HOUR, 2) == 1
        assert await rows.delete(HOUR, 2) == 0
        assert [await rows.count(HOUR, 10), await rows.first(HOUR, 2)] == [0, []]
    assert left(empty) == [1, 2, 4]


async def test_a_column_without_dates_is_named_at_the_start(empty: App) -> None:
    """So is a table that is not there, with the setting."""
    sessions(empty)
    with pytest.raises(SchemaError, match=r'column "n" of the table .* has no dates; name another one in CLEANUP'):
        async with opened(empty, column="n"):
            pass
    with pytest.raises(SchemaError, match="set CLEANUP_SESSIONS if the app"):
        async with opened(empty, table="Nothing"):
            pass


@pytest.mark.parametrize("empty", ["postgres"], indirect=True)
class TestPostgres:
    """What only Postgres can do."""

    async def test_dates_that_python_lacks_are_deleted_like_others(self, empty: App) -> None:
        """`-infinity` is long past, and `infinity` never comes."""
        sessions(empty)
        for number, when in enumerate(["-infinity", "0044-03-15 BC", "infinity", "2001-01-01"]):
            empty.sql(f"""INSERT INTO "Ses:sion %" VALUES ('s{number}', '{when}', {number})""")  # noqa: S608
        async with opened(empty) as rows:
            assert await rows.first(HOUR, 9) == ["-infinity", "0044-03-15 00:00:00 BC", "2001-01-01 00:00:00"]
            assert await rows.delete(HOUR, 9) == 3
        assert left(empty) == [2]

    async def test_rows_of_partitions_are_not_taken_for_each_other(self, empty: App) -> None:
        """Each partition has a first row at the same place."""
        empty.sql('CREATE TABLE "Ses:sion %" ("ex%pi:res" TIMESTAMP(3), "n" INTEGER) PARTITION BY RANGE ("n")')
        for number in range(3):
            values = f"FROM ({number * 10}) TO ({number * 10 + 10})"
            empty.sql(f'CREATE TABLE "part{number}" PARTITION OF "Ses:sion %" FOR VALUES {values}')
            empty.sql(f"""INSERT INTO "Ses:sion %" VALUES ({moment(2 - 2 * number)}, {number * 10})""")  # noqa: S608
        async with opened(empty) as rows:
            assert await rows.delete(HOUR, 9) == 1
        assert left(empty) == [10, 20]

    async def test_rows_that_others_hold_are_left_for_later(self, empty: App) -> None:
        """Nobody waits for a lock."""
        sessions(empty, 5, 4, 3)
        async with opened(empty) as rows, await psycopg.AsyncConnection.connect(empty.url) as other:
            await other.execute("""SELECT * FROM "Ses:sion %" WHERE "n" = 0 FOR UPDATE""")
            async with asyncio.timeout(15):
                assert await rows.delete(HOUR, 9) == 2
        assert left(empty) == [0]

    async def test_a_slow_statement_is_refused(self, empty: App, monkeypatch: pytest.MonkeyPatch) -> None:
        """The next one would take as long; and the connection is as before."""
        sessions(empty, 5)
        monkeypatch.setattr(bounded, "LONGEST", 0.2)
        empty.sql(
            """CREATE FUNCTION slow() RETURNS trigger AS $$ BEGIN PERFORM pg_sleep(30); RETURN OLD; END $$
            LANGUAGE plpgsql"""
        )
        empty.sql('CREATE TRIGGER slow BEFORE DELETE ON "Ses:sion %" FOR EACH ROW EXECUTE FUNCTION slow()')
        async with opened(empty) as rows:
            with pytest.raises(StatementRefusedError, match=r"cancelled a statement after 0\.2 s"):
                await rows.delete(HOUR, 9)
            empty.sql('DROP TRIGGER slow ON "Ses:sion %"')
            assert await rows.delete(HOUR, 9) == 1

    async def test_what_others_refer_to_is_refused(self, empty: App) -> None:
        """With the database's code, and no value."""
        sessions(empty, 5)
        empty.sql('CREATE TABLE "Child" ("of" TEXT REFERENCES "Ses:sion %"("id"))')
        empty.sql("""INSERT INTO "Child" VALUES ('s0')""")
        async with opened(empty) as rows:
            with pytest.raises(StatementRefusedError, match="ForeignKeyViolation, 23503"):
                await rows.delete(HOUR, 9)
        assert left(empty) == [0]
