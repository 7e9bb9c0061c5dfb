"""Exports of Postgres at their limits: a server that says nothing more, and very wide rows."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.export_rows import request
from tests.support.prisma import TEXT_IDS, App

if TYPE_CHECKING:
    from storage.ports import Exports


@pytest.fixture
def app(postgres_url: str) -> App:
    """An empty database."""
    return App(postgres_url, TEXT_IDS)


async def test_an_export_ends_though_its_server_says_nothing(app: App, exports: Exports) -> None:
    """In the middle of the rows: it does not wait for the others."""
    app.sql("CREATE VIEW export_x AS SELECT repeat('x', 8192) AS text FROM generate_series(1, 20000)")
    async with exports.open(request()) as export:
        rows = export.batches("csv")
        await anext(rows)
        [backend] = app.sql("SELECT pid FROM pg_stat_activity WHERE query LIKE 'COPY%export_x%'")
        os.kill(backend["pid"], signal.SIGSTOP)
        try:
            async with asyncio.timeout(30):
                await rows.aclose()
        finally:
            os.kill(backend["pid"], signal.SIGCONT)


async def test_one_wide_row_is_a_batch(app: App, exports: Exports) -> None:
    """No second one is read with it: a cell may have 1 GB."""
    app.sql("CREATE VIEW export_x AS SELECT repeat('x', 3000000) AS text FROM generate_series(1, 5)")
    async with exports.open(request()) as export:
        assert [1] * 5 == [len(batch) async for batch in export.batches("csv")]
