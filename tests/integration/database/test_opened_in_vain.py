"""A database whose tables turn out to be of no use: nothing of it stays open."""

from __future__ import annotations

import pytest

from storage.database import Database
from storage.errors import StorageUnavailableError
from storage.facade import Storage
from tests.support.prisma import App, settings_of


@pytest.mark.parametrize(
    ("fault", "given"),
    [
        ("PUSH_SUBSCRIPTION_COLUMNS", {"push_subscription_columns": "active=endpoint"}),
        ("AVATAR_COLUMN", {"avatar_table": "File", "avatar_column": "picture"}),
    ],
)
async def test_nothing_stays_open(app: App, monkeypatch: pytest.MonkeyPatch, fault: str, given: dict[str, str]) -> None:
    """A worker that started without the database opens it anew with the next jobs, as often as it is of no use."""
    closed = []
    close = Database.close

    async def count(database: Database) -> None:
        closed.append(database)
        await close(database)

    monkeypatch.setattr(Database, "close", count)

    with pytest.raises(StorageUnavailableError, match=f"^{fault}: "):
        await Storage.open(settings_of(app.url, **given))

    assert 1 == len(closed)
