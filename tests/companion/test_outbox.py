"""`outbox(tx)` of the package with a real Prisma client, and the worker that publishes what it wrote."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from processors.outbox.bridging import Bridging
from processors.outbox.letters import letter_of
from queue_lib.bridge import Bridge
from storage.outbox import SqlOutbox
from storage.tables import AppTable
from tests.support.outbox_fakes import ADMISSION, additions, ready
from tests.support.prisma import App, open_database
from tests.support.prisma_app import serving, tables

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WRITTEN = {
    "job": ["index_doc", {"id": "7"}, {"delay": 1500}],
    "event": ["message.created", 42, {"text": "héllo"}],
}


def migrated(provider: str, folder: Path, request: pytest.FixtureRequest) -> tuple[str, str]:
    """A database with the package's tables: its URL for the worker, and for Prisma."""
    if provider == "sqlite":
        with closing(sqlite3.connect(folder / "app.db")) as connection:
            connection.executescript(tables("sqlite"))
        return f"sqlite:///{folder}/app.db", f"file:{folder}/app.db"
    url = request.getfixturevalue("postgres_url")
    App(url, ()).sql(tables(provider))
    return url, url


@pytest.mark.parametrize("provider", ["sqlite", pytest.param("postgresql", marks=pytest.mark.matrix)])
async def test_what_a_transaction_wrote_is_published(
    prisma_client: Callable[[str], Path], tmp_path: Path, request: pytest.FixtureRequest, provider: str
) -> None:
    """And nothing of one that was rolled back."""
    ours, theirs = migrated(provider, tmp_path, request)
    async with serving(prisma_client(provider), DATABASE_URL=theirs, REDIS_URL="redis://127.0.0.1:1") as routes:
        rolled_back = await routes.send("POST", "/api/outbox", WRITTEN | {"fails": True})
        written = await routes.send("POST", "/api/outbox", WRITTEN)
    assert (200, ["rolled back"]) == rolled_back
    assert (200, 2) == (written[0], len(written[1]))

    database = await open_database(ours, {AppTable.OUTBOX}, outbox_table="Outbox")
    bridging = Bridging(
        [Bridge("message.*", "count", lambda event: {"id": event.payload["text"]})], ADMISSION, "epop", ready
    )
    async with SqlOutbox(database).round() as found:
        assert found is not None
        assert written[1] == [str(row.id) for row in found.rows]
        job, event = (letter_of(row, bridging, "epop") for row in found.rows)
    async with SqlOutbox(database).round() as found:
        assert found is not None
        assert [] == found.rows
    await database.close()

    [added], [followed] = additions(job.jobs), additions(event.jobs)
    assert ("search", {"id": "7"}, 1.5) == (job.jobs[0].queue, added.data, added.delay)
    assert "héllo" == followed.data["id"]
    assert event.message is not None
    assert '"aggregateId": "42"' in event.message[1]
