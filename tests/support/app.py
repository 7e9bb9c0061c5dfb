"""The app around the worker: its database as Prisma makes it, its uploads, and the environment for them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from tests.support.push_service import SUBJECT
from tests.support.worker_process import WorkerProcess

if TYPE_CHECKING:
    from pathlib import Path

    from storage.ports import Subscription

SUBSCRIPTIONS = """CREATE TABLE "PushSubscription" ("id" TEXT PRIMARY KEY, "userId" TEXT NOT NULL,
    "endpoint" TEXT NOT NULL, "p256dh" TEXT NOT NULL, "auth" TEXT NOT NULL, "createdAt" TIMESTAMP(3))"""
FILES = """CREATE TABLE "File" ("id" TEXT PRIMARY KEY, "name" TEXT, "compressedUrl" TEXT, "thumbnailUrl" TEXT,
    "processed" BOOLEAN NOT NULL DEFAULT false)"""


@dataclass(frozen=True, slots=True)
class App:
    """An app in a folder. `env` is what its worker needs."""

    folder: Path
    env: dict[str, str]

    def worker(self, **env: str) -> WorkerProcess:
        """`python worker.py` for this app; `env` wins, and an empty value counts as not set."""
        return WorkerProcess({**self.env, **env}, self.folder)

    def sql(self, statement: str, *values: Any) -> list[Any]:
        """Run one statement as the app would; returns the rows."""
        with closing(sqlite3.connect(self.folder / "app.db", isolation_level=None)) as connection:
            return connection.execute(statement, values).fetchall()

    def subscribe(self, row: Subscription) -> None:
        """Store a subscription."""
        values = (row.id, row.user_id, row.endpoint, row.p256dh, row.auth)
        self.sql(
            'INSERT INTO "PushSubscription" ("id", "userId", "endpoint", "p256dh", "auth") VALUES (?, ?, ?, ?, ?)',
            *values,
        )

    def upload(self, file_id: str, size: tuple[int, int] = (640, 480)) -> str:
        """Upload an image and store its row; returns the storage key."""
        key = f"uploads/{file_id}.png"
        path = self.folder / "store" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, "teal").save(path)
        self.sql('INSERT INTO "File" ("id", "name") VALUES (?, ?)', file_id, "holiday")
        return key


@pytest.fixture
def app(redis_url: str, tmp_path: Path, vapid_keys: tuple[str, str]) -> App:
    """An app on the shared Redis, which is empty, whose devices may be on this machine."""
    env = {
        "REDIS_URL": redis_url,
        "DATABASE_URL": f"sqlite:///{tmp_path / 'app.db'}",
        "STORAGE_URL": f"file://{tmp_path / 'store'}",
        "VAPID_PRIVATE_KEY": vapid_keys[0],
        "VAPID_PUBLIC_KEY": vapid_keys[1],
        "VAPID_SUBJECT": SUBJECT,
        "PUSH_ALLOW_LOCAL_ENDPOINTS": "1",
    }
    app = App(tmp_path, env)
    (tmp_path / "store").mkdir()
    app.sql(SUBSCRIPTIONS)
    app.sql(FILES)
    return app
