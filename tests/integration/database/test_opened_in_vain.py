"""A database without usable tables: no connection to it stays open."""

from __future__ import annotations

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


async def connect(storage: Storage, columns: str = "", avatar_table: str | None = None) -> None:
    """Open what a worker of both features needs."""
    storage.subscriptions("PushSubscription", columns)
    storage.avatars(avatar_table, "picture")
    await storage.connect()
