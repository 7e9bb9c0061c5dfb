"""`notificationRoutes` with a real Prisma client, over rows that the worker's storage added."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from tests.support.prisma_app import serving, tables

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PATH = "/api/notifications"
INSERT = 'INSERT INTO "Notification" ("id", "userId", "title", "body", "createdAt") VALUES (?, ?, ?, ?, ?)'


async def test_rows_are_listed_and_read(prisma_client: Callable[[str], Path], tmp_path: Path) -> None:
    """Only the user's own; an id that is a number where ids are texts is refused."""
    database = tmp_path / "app.db"
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.executescript(tables("sqlite"))
        rows = [("a", "ann", "first", "", "2026-11-30T07:00:00.000+00:00"), ("b", "bob", "his", "", "2026-11-30 07:00")]
        connection.executemany(INSERT, [*rows, ("c", "ann", "second", "", "2026-11-30T07:01:00.000+00:00")])

    env = {"DATABASE_URL": f"file:{database}", "REDIS_URL": "redis://127.0.0.1:1"}
    async with serving(prisma_client("sqlite"), **env) as routes:
        status, told = await routes.send("GET", PATH, None)
        refused = await routes.send("PATCH", PATH, {"ids": [7]})
        read = await routes.send("PATCH", PATH, {"ids": ["a", "b"]})
        everything = await routes.send("PATCH", PATH, {"all": True})
        _, after = await routes.send("GET", PATH, None)
        nobody, _ = await routes.send("GET", PATH, None, user="")

    assert (200, 2, ["c", "a"]) == (status, told["unread"], [row["id"] for row in told["notifications"]])
    assert ("info", None, None) == tuple(told["notifications"][0][name] for name in ("type", "url", "readAt"))
    assert (422, {"error": "ids has what is no id of a notification"}) == refused
    assert (200, {"unread": 1}) == read
    assert (200, {"unread": 0}) == everything
    assert all(row["readAt"] for row in after["notifications"])
    assert 401 == nobody
    with closing(sqlite3.connect(database)) as connection:
        assert [("b",)] == connection.execute('SELECT "id" FROM "Notification" WHERE "readAt" IS NULL').fetchall()
