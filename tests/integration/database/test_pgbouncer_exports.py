"""Exports through PgBouncer in transaction mode: each has one of its connections until it ends."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from storage.errors import StorageAwayError
from tests.support.export_rows import exports_of, lines, request
from tests.support.pgbouncer import SIZE, PgBouncer
from tests.support.polling import until
from tests.support.prisma import TEXT_IDS, App

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

pytestmark = pytest.mark.matrix

KILL = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND query LIKE 'COPY%'"""


@pytest.fixture
def app(postgres_url: str) -> App:
    """An empty database; the app itself has a direct connection."""
    return App(postgres_url, TEXT_IDS)


async def test_an_export(app: App, bouncer: PgBouncer) -> None:
    """COPY comes whole, in the export's form, also after some that were ended in the middle."""
    app.sql("""CREATE VIEW "export_x" AS SELECT n AS id, make_interval(mins => n) AS "after"
        FROM generate_series(1, 30000) AS n""")
    async with exports_of(bouncer.url(app.name)) as exports:
        for _ in range(SIZE + 1):
            async with exports.open(request()) as export, aclosing(export.batches("csv")) as batches:
                assert await anext(batches)
        found = await lines(exports, "csv")
    assert [b"%d" % number for number in range(1, 30001)] == [line.partition(b",")[0] for line in found]
    assert b"90,01:30:00\r\n" == found[89]


async def test_a_server_that_dies_between_rows(app: App, bouncer: PgBouncer) -> None:
    """An outage: PgBouncer tells it and hangs up at once."""
    app.sql('CREATE VIEW "export_x" AS SELECT n AS id FROM generate_series(1, 1000000) AS n')
    async with exports_of(bouncer.url(app.name)) as exports:
        for _ in range(5):
            async with exports.open(request()) as export, aclosing(export.batches("csv")) as batches:
                await anext(batches)
                app.sql(KILL)
                with pytest.raises(StorageAwayError):
                    await _rest(batches)


async def _rest(batches: AsyncIterator[Sequence[bytes]]) -> None:
    async for _ in batches:
        pass


async def test_a_server_that_dies_before_the_first_row(app: App, bouncer: PgBouncer) -> None:
    """An outage, too."""
    app.sql('CREATE VIEW "export_x" AS SELECT pg_sleep(60) IS NULL AS id')
    async with exports_of(bouncer.url(app.name)) as exports:
        for _ in range(3):
            running = asyncio.create_task(lines(exports, "csv"))
            await until(lambda: app.sql(KILL))
            with pytest.raises(StorageAwayError):
                await running
