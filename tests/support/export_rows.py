"""Reading exports in tests: the port `Exports` of a database, and the rows of views."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from storage.facade import Storage
from storage.ports import ExportRequest
from storage.settings import DatabaseSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from storage.ports import ExportForm, Exports
    from tests.support.prisma import App


@asynccontextmanager
async def exports_of(url: str) -> AsyncIterator[Exports]:
    """The port under test, as features get it."""
    storage = Storage(DatabaseSettings(database_url=url))
    exports = storage.exports()
    await storage.connect()
    yield exports
    await storage.close()


def request(**fields: Any) -> ExportRequest:
    """A request for the view `export_x`."""
    usual: dict[str, Any] = {"name": "x", "user_id": None, "columns": None, "filters": {}, "seconds": 60.0}
    return ExportRequest(**{**usual, **fields})


async def lines(exports: Exports, form: ExportForm, *, escape: bool = False, **fields: Any) -> list[bytes]:
    """The rows."""
    async with exports.open(request(**fields)) as export:
        return [line async for batch in export.batches(form, escape_formulas=escape) for line in batch]


async def objects(exports: Exports, **fields: Any) -> list[dict[str, Any]]:
    """The rows as JSON."""
    return [json.loads(line) for line in await lines(exports, "json", **fields)]


def view(app: App, columns: str, *values: str) -> None:
    """A table with these rows, and a view of all of it."""
    app.sql(f"CREATE TABLE t ({columns})")
    app.sql('CREATE VIEW "export_x" AS SELECT * FROM t')
    for value in values:
        app.sql(f"INSERT INTO t VALUES ({value})")  # noqa: S608 -- a test's own values
