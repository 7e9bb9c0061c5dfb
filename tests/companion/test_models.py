"""The Prisma models of the npm package, against the worker that reads and writes their tables."""

from __future__ import annotations

import re
import sqlite3
from typing import TYPE_CHECKING

import pytest

from storage.files import SqlFiles
from storage.row_state import ERROR, FAILED_AT, STATUS
from storage.subscriptions import SqlSubscriptions
from storage.tables import AppTable
from tests.support.docs import PROJECT
from tests.support.prisma import App, open_database
from tests.support.prisma_app import MODELS, tables

if TYPE_CHECKING:
    from pathlib import Path

# What docs/next.js.md says that the worker writes.
WRITTEN = re.findall(
    r"`(\w+)`",
    re.sub(r".*these are written: (.*?)\|.*", r"\1", (PROJECT / "docs" / "next.js.md").read_text(), flags=re.DOTALL),
)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.matrix)])
def migrated(request: pytest.FixtureRequest, tmp_path: Path) -> App:
    """A database with the tables that Prisma makes of the models."""
    script = tables(request.param)
    if request.param == "sqlite":
        with sqlite3.connect(tmp_path / "dev.db") as connection:
            connection.executescript(script)
        connection.close()
        return App(f"sqlite:///{tmp_path / 'dev.db'}", ())
    app = App(request.getfixturevalue("postgres_url"), ())
    app.sql(script)
    return app


async def test_the_worker_accepts_the_tables_and_finds_all_columns(migrated: App) -> None:
    """It starts with them, and writes every column that the docs name."""
    database = await open_database(migrated.url, {AppTable.PUSH_SUBSCRIPTION, AppTable.FILE})
    try:
        files, subscriptions = (database.found(table) for table in (AppTable.FILE, AppTable.PUSH_SUBSCRIPTION))
    finally:
        await database.close()
    assert {*WRITTEN, "id", "userId", "compressedUrl", "thumbnailUrl", "processed"} <= set(files.table.c.keys())
    assert {"expiration_time", "updated_at", "user_id"} <= subscriptions.columns.keys()
    assert {"compressedUrl", ERROR, FAILED_AT, STATUS} <= set(WRITTEN) | {"compressedUrl"}


async def test_a_file_goes_through_its_states(migrated: App) -> None:
    """The worker writes progress, failure and results into a row as the app has made it."""
    row = {"id": "f1", "userId": "ann", "key": "uploads/ann/1", "kind": "image", "updatedAt": "2026-11-30 01:00:00"}
    migrated.insert("File", row)
    database = await open_database(migrated.url, {AppTable.FILE})
    try:
        files = SqlFiles(database)
        await files.mark_processing("f1")
        assert "processing" == _file(migrated)["status"]
        await files.mark_failed("f1", "ann", "not an image")
        assert ("failed", "not an image") == (_file(migrated)["status"], _file(migrated)["error"])
        results = {"compressedUrl": "https://b/1.jpg", "width": 10, "bytes": 2**31 - 1, "duration": 1.5, "pages": 2}
        await files.mark_processed("f1", results)
    finally:
        await database.close()
    after = _file(migrated)
    assert results == {name: after[name] for name in results}
    assert ("processed", None, None) == (after["status"], after["error"], after["failedAt"])
    assert after["processed"]


async def test_the_indexes_are_there(migrated: App) -> None:
    """An endpoint has one row; a user's rows and a file's key are found by an index."""
    row = {"userId": "ann", "endpoint": "https://push", "p256dh": "", "auth": "", "updatedAt": "2026-11-30 01:00:00"}
    migrated.insert("PushSubscription", {"id": "1", **row})
    with pytest.raises(Exception, match=r"(?i)unique"):
        migrated.insert("PushSubscription", {"id": "2", **row})
    catalog = (
        "SELECT name FROM sqlite_master WHERE type = 'index'"
        if migrated.url.startswith("sqlite")
        else "SELECT indexname AS name FROM pg_indexes"
    )
    names = {found["name"] for found in migrated.sql(catalog)}
    assert {"PushSubscription_userId_idx", "PushSubscription_endpoint_key", "File_key_key", "File_userId_idx"} <= names
    database = await open_database(migrated.url, {AppTable.PUSH_SUBSCRIPTION})
    try:
        [found] = await SqlSubscriptions(database).of_user("ann")
    finally:
        await database.close()
    assert ("1", "https://push") == (found.id, found.endpoint)


def _file(app: App) -> dict[str, object]:
    [row] = app.sql('SELECT * FROM "File"')
    return row


def test_the_example_and_the_docs_have_the_same_models() -> None:
    """A column that is added in one place is added in all."""
    models = _models(MODELS.read_text())
    example = _models((PROJECT / "examples" / "next" / "prisma" / "schema.prisma").read_text())
    docs = _models((PROJECT / "docs" / "next.js.md").read_text())
    docs |= _models((PROJECT / "docs" / "preferences.md").read_text())
    docs |= _models((PROJECT / "docs" / "outbox.md").read_text())
    for name, lines in models.items():
        assert lines <= example[name]
        assert lines <= docs[name]


def _models(text: str) -> dict[str, set[str]]:
    """The lines of each model, without comments and with single spaces."""
    return {
        name: {" ".join(line.split("//")[0].split()) for line in body.splitlines()} - {""}
        for name, body in re.findall(r"^model (\w+) \{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL)
    }
