"""The app's data: Prisma's two tables in SQLite, and a directory in place of its bucket."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from storage.ports import Subscription

PHOTO = Path(__file__).with_name("photo.jpg")
UPLOAD_KEY = "uploads/photo.jpg"
FILE_ID = "photo"

# As `prisma migrate` writes them for SQLite.
SCHEMA = """
CREATE TABLE "PushSubscription" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "userId" TEXT NOT NULL,
    "endpoint" TEXT NOT NULL,
    "p256dh" TEXT NOT NULL,
    "auth" TEXT NOT NULL
);
CREATE TABLE "File" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "path" TEXT NOT NULL,
    "compressedUrl" TEXT,
    "thumbnailUrl" TEXT,
    "processed" BOOLEAN NOT NULL DEFAULT false
);
"""


class App:
    """The data of the Next.js app."""

    def __init__(self, database: Path, store: Path) -> None:
        """Make the tables in the file `database`, and one upload in the directory `store`."""
        self.database = database
        self.store = store
        with closing(self._connect()) as connection:
            connection.executescript(SCHEMA)
        self._upload()

    def subscribe(self, subscriptions: Iterable[Subscription]) -> None:
        """Store the subscriptions, as the app's route does when a browser posts them."""
        rows = [(row.id, row.user_id, row.endpoint, row.p256dh, row.auth) for row in subscriptions]
        with closing(self._connect()) as connection:
            connection.executemany('INSERT INTO "PushSubscription" VALUES (?, ?, ?, ?, ?)', rows)

    def subscription_ids(self) -> list[str]:
        """Ids of the rows that are there."""
        return [row["id"] for row in self._select('SELECT "id" FROM "PushSubscription" ORDER BY "id"')]

    def file(self) -> dict[str, Any]:
        """The row of the upload."""
        [row] = self._select('SELECT * FROM "File"')
        return dict(row)

    def _upload(self) -> None:
        target = self.store / UPLOAD_KEY
        target.parent.mkdir(parents=True)
        shutil.copyfile(PHOTO, target)
        with closing(self._connect()) as connection:
            connection.execute('INSERT INTO "File" ("id", "path") VALUES (?, ?)', (FILE_ID, UPLOAD_KEY))

    def _select(self, query: str) -> list[sqlite3.Row]:
        with closing(self._connect()) as connection:
            connection.row_factory = sqlite3.Row
            return connection.execute(query).fetchall()

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.database, isolation_level=None)
