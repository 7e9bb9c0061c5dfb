"""The tables of compose.yaml's trial."""

from __future__ import annotations

from pathlib import Path

import psycopg

from storage.files import SqlFiles
from storage.subscriptions import SqlSubscriptions
from storage.tables import AppTable
from tests.support.prisma import open_database

TRIAL = Path(__file__).parents[3] / "deploy" / "trial.sql"


async def test_the_trial_tables_are_what_the_worker_needs(postgres_url: str) -> None:
    """Both tables open, and the row of the trial's upload can be marked."""
    with psycopg.connect(postgres_url) as connection:
        connection.execute(TRIAL.read_bytes())
    database = await open_database(postgres_url, {AppTable.PUSH_SUBSCRIPTION, AppTable.FILE})
    try:
        await SqlFiles(database).mark_processed("trial", {"compressedUrl": "file:///data/c"})
        assert [] == await SqlSubscriptions(database).of_user("user-1")
    finally:
        await database.close()

    with psycopg.connect(postgres_url) as connection:
        assert [("file:///data/c", True)] == connection.execute(
            'SELECT "compressedUrl", "processed" FROM "File"'
        ).fetchall()
