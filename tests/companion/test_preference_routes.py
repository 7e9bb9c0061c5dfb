"""`preferenceRoutes` with a real Prisma client: what a page stores is what the worker reads."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from processors.reach.choice import MUTED, Channel, Occasion, choose
from storage.database import Database
from storage.models import NotificationPreference
from storage.preferences import SqlPreferences
from storage.tables import AppTable, Wanted
from tests.support.prisma_app import serving, tables

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PATH = "/api/preferences"
TABLE = "NotificationPreference"
NIGHT = {"quietFrom": "22:00", "quietTo": "07:00", "timeZone": "europe/berlin"}
MIDNIGHT = datetime(2026, 11, 30, 23, 0, tzinfo=UTC).timestamp()  # in Berlin
MORNING = MIDNIGHT + 7 * 3600


async def test_the_worker_reads_what_a_page_stores(prisma_client: Callable[[str], Path], tmp_path: Path) -> None:
    """Also of requests at once. Quiet hours for one channel switch nothing on. Nobody changes another user's rows."""
    database = tmp_path / "app.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.executescript(tables("sqlite"))

    env = {"DATABASE_URL": f"file:{database}", "REDIS_URL": "redis://127.0.0.1:1"}
    async with serving(prisma_client("sqlite"), **env) as routes:
        for body in ({"enabled": False}, {"channel": "push", **NIGHT}):
            await routes.send("PATCH", PATH, body, user="bob")
        mention = {"channel": "push", "type": "mention", "enabled": False}
        answers = await asyncio.gather(
            *(routes.send("PATCH", PATH, body) for body in (NIGHT, {"enabled": True}, mention))
        )
        refused = await routes.send("PATCH", PATH, {"timeZone": "+01:00"})
        _, told = await routes.send("GET", PATH, None)
        nobody, _ = await routes.send("GET", PATH, None, user="")

    assert [200, 200, 200] == [status for status, _ in answers]
    assert (422, {"error": "timeZone is no time zone such as Europe/Berlin"}) == refused
    assert [("*", "*", "Europe/Berlin"), ("push", "mention", None)] == [
        (row["channel"], row["type"], row["timeZone"]) for row in told["preferences"]
    ]
    assert 401 == nobody
    choices = await _choices(f"sqlite:///{database}", "mention"), await _choices(f"sqlite:///{database}", None)
    assert ({"ann": MUTED, "bob": MUTED}, {"ann": MORNING, "bob": MUTED}) == choices


async def _choices(url: str, type_: str | None) -> dict[str, Any]:
    """Until when a push of this type waits that comes at midnight."""
    database = await Database.open(url, {AppTable.PREFERENCE: Wanted.usual(NotificationPreference, TABLE)})
    try:
        rows = await SqlPreferences(database).of_users(["ann", "bob"], type_)
    finally:
        await database.close()
    return {user: choose(found, Occasion(Channel.PUSH, type_), MIDNIGHT).until for user, found in rows.items()}
