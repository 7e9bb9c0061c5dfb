"""A database without usable tables, or for a worker that is stopped meanwhile: no connection to it stays open."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from storage.database import Database
from storage.errors import StorageUnavailableError
from storage.facade import Storage
from storage.settings import DatabaseSettings

if TYPE_CHECKING:
    from tests.support.prisma import App


@pytest.mark.parametrize(
    ("fault", "given"),
    [
        ("PUSH_SUBSCRIPTION_COLUMNS", {"columns": "active=endpoint"}),
        ("AVATAR_COLUMN", {"avatar_table": "File"}),
    ],
)
async def test_nothing_stays_open(app: App, monkeypatch: pytest.MonkeyPatch, fault: str, given: dict[str, str]) -> None:
    """A worker that started without its database tries again with the next jobs, as often as it fails."""
    closed = []
    close = Database.close

    async def count(database: Database) -> None:
        closed.append(database)
        await close(database)

    monkeypatch.setattr(Database, "close", count)

    with pytest.raises(StorageUnavailableError, match=f"^{fault}: "):
        await connect(Storage(DatabaseSettings(database_url=app.url)), **given)

    assert 1 == len(closed)


@pytest.mark.parametrize("app", ["sqlite-text"], indirect=True)
def test_a_stop_meanwhile_leaves_no_thread(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """The driver's thread would fail when it tells its result to a loop that is closed."""
    failed = list[object]()
    monkeypatch.setattr(threading, "excepthook", failed.append)
    before = threading.enumerate()

    async def stopped(turns: int) -> None:
        opening = asyncio.ensure_future(Database.open(app.url, {}))
        for _ in range(turns):
            await asyncio.sleep(0)
        opening.cancel()
        with suppress(asyncio.CancelledError):
            await opening

    for turns in range(30):
        asyncio.run(stopped(turns))
        for thread in set(threading.enumerate()) - set(before):
            thread.join()

    assert [] == failed


async def connect(storage: Storage, columns: str = "", avatar_table: str | None = None) -> None:
    """Open what a worker of both features needs."""
    storage.subscriptions("PushSubscription", columns)
    storage.avatars(avatar_table, "picture")
    await storage.connect()
