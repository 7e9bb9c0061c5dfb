"""A file's row says how its job went, in columns that an app may have: `error`, `failedAt`, `status`."""

from __future__ import annotations

import sqlite3
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from storage.files import SqlFiles
from storage.tables import AppTable
from tests.support.prisma import FILES, IMPOSSIBLE, INTEGER_IDS, App, open_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

REASON = "not a picture: its bytes are those of a text"
STATES = """ALTER TABLE "File" ADD COLUMN "error" TEXT;
    ALTER TABLE "File" ADD COLUMN "failedAt" TIMESTAMP(3);
    ALTER TABLE "File" ADD COLUMN "status" TEXT"""


@asynccontextmanager
async def files_of(app: App, *alterations: str) -> AsyncIterator[SqlFiles]:
    """The port over two files, in a table altered like this."""
    for alteration in alterations:
        app.sql(alteration)
    app.add_files()
    database = await open_database(app.url, {AppTable.FILE})
    yield SqlFiles(database)
    await database.close()


def row(app: App) -> dict[str, Any]:
    """The first file's row."""
    return app.sql('SELECT * FROM "File" ORDER BY "id"')[0]


async def test_failed_and_tried_again(app: App) -> None:
    """A dead job's row has reason and time; the next run clears them. Other rows stay."""
    async with files_of(app, *STATES.split(";")) as files:
        app.sql("""UPDATE "File" SET "status" = 'pending'""")

        await files.mark_failed(app.ids[0], app.ids[3], REASON)
        failed = row(app)
        assert (REASON, "failed", False) == (failed["error"], failed["status"], bool(failed["processed"]))
        assert failed["failedAt"] is not None
        assert failed["updatedAt"] is not None

        await files.mark_processing(app.ids[0])
        assert (None, None, "processing") == tuple(row(app)[name] for name in ("error", "failedAt", "status"))

        await files.mark_failed(app.ids[0], app.ids[3], REASON)
        await files.mark_processed(app.ids[0], {"width": 640})
        assert (None, None, "processed", 640) == tuple(
            row(app)[name] for name in ("error", "failedAt", "status", "width")
        )

    other = app.sql('SELECT * FROM "File" ORDER BY "id"')[1]
    assert (None, None, "pending", None) == tuple(other[name] for name in ("error", "failedAt", "status", "updatedAt"))


async def test_a_table_without_such_columns(app: App) -> None:
    """Neither the start nor the failure of a run writes anything."""
    async with files_of(app) as files:
        before = row(app)
        await files.mark_processing(app.ids[0])
        await files.mark_failed(app.ids[0], app.ids[3], REASON)

        assert before == row(app)


async def test_a_failure_is_written_to_the_jobs_own_row_only(app: App) -> None:
    """A job for another user's file writes nothing to its row; a missing row is no error."""
    columns = ('"error" TEXT', f'"userId" {app.id_type}')
    async with files_of(app, *(f'ALTER TABLE "File" ADD COLUMN {column}' for column in columns)) as files:
        app.sql(f"""UPDATE "File" SET "userId" = '{app.ids[0]}'""")  # noqa: S608 -- a test's own value

        await files.mark_failed(app.ids[0], app.ids[1], REASON)
        await files.mark_failed(app.ids[3], app.ids[0], REASON)
        for impossible in IMPOSSIBLE:
            await files.mark_failed(impossible, app.ids[0], REASON)
        assert row(app)["error"] is None

        await files.mark_failed(app.ids[0], app.ids[0], REASON)
        assert REASON == row(app)["error"]


async def test_a_status_of_the_apps_own(app: App) -> None:
    """A `status` with another meaning stays; one in capitals gets its value in capitals."""
    async with files_of(app, *STATES.split(";")) as files:
        for before, after in (("draft", "draft"), ("PENDING", "FAILED"), ("Pending", "Pending")):
            app.sql(f"""UPDATE "File" SET "status" = '{before}'""")  # noqa: S608 -- a test's own value
            await files.mark_failed(app.ids[0], app.ids[3], REASON)
            assert after == row(app)["status"]


@pytest.mark.parametrize(
    ("labels", "start", "failed", "retried"),
    [
        ("'PENDING', 'PROCESSING', 'PROCESSED', 'FAILED'", "PENDING", "FAILED", "PROCESSING"),
        ("'pending', 'failed'", "pending", "failed", "failed"),
        ("'uploaded', 'ready'", "uploaded", "uploaded", "uploaded"),
    ],
)
async def test_a_status_that_is_an_enum(postgres_url: str, labels: str, start: str, failed: str, retried: str) -> None:
    """The enum's own spelling is used; an enum without our words is left alone."""
    app = _postgres(postgres_url)
    app.sql(f'CREATE TYPE "FileStatus" AS ENUM ({labels})')
    async with files_of(app, f"""ALTER TABLE "File" ADD COLUMN "status" "FileStatus" DEFAULT '{start}'""") as files:
        await files.mark_failed("1", "7", REASON)
        assert failed == row(app)["status"]
        await files.mark_processing("1")
        assert retried == row(app)["status"]


@pytest.mark.parametrize(
    ("kind", "said"), [("VARCHAR(12)", "not a pictur"), ("BOOLEAN", None), ("JSONB", None), ("INTEGER", None)]
)
async def test_an_error_that_takes_no_reason(postgres_url: str, kind: str, said: str | None) -> None:
    """A short column gets the beginning of the reason; one that is no text is the app's own and stays."""
    app = _postgres(postgres_url)
    async with files_of(app, f'ALTER TABLE "File" ADD COLUMN "error" {kind}') as files:
        await files.mark_failed("1", "7", REASON)
        assert said == row(app)["error"]

        if said is None:
            app.sql(f"""UPDATE "File" SET "error" = '1'::text::{kind}""")  # noqa: S608 -- a test's own value
            await files.mark_processing("1")
            assert row(app)["error"] is not None


async def test_columns_that_may_not_be_null(postgres_url: str) -> None:
    """A NOT NULL `error` is emptied; a NOT NULL `failedAt` can't be cleared."""
    app = _postgres(postgres_url)
    columns = ("\"error\" TEXT NOT NULL DEFAULT ''", '"failedAt" TIMESTAMP(3) NOT NULL DEFAULT now()')
    async with files_of(app, *(f'ALTER TABLE "File" ADD COLUMN {column}' for column in columns)) as files:
        before = row(app)
        await files.mark_failed("1", "7", REASON)
        await files.mark_processing("1")

        assert ("", before["failedAt"]) == (row(app)["error"], row(app)["failedAt"])


@pytest.mark.parametrize("zone", ["TIMESTAMP(3)", "TIMESTAMPTZ(3)"])
async def test_failed_at_is_now(postgres_url: str, zone: str) -> None:
    """In UTC if the column has no zone."""
    app = _postgres(postgres_url)
    async with files_of(app, f'ALTER TABLE "File" ADD COLUMN "failedAt" {zone}') as files:
        await files.mark_failed("1", "7", REASON)

    at = row(app)["failedAt"]
    assert abs(datetime.now(UTC) - (at if at.tzinfo else at.replace(tzinfo=UTC))) < timedelta(seconds=10)


@pytest.mark.parametrize(
    ("written", "form"),
    [("'2026-11-29T09:46:34.089+00:00'", "text"), ("1795945594132", "integer"), ("NULL", "text")],
)
async def test_times_in_sqlite_have_prismas_form(tmp_path: Any, written: str, form: str) -> None:
    """SQLite sorts text as text, and numbers before all text."""
    path = tmp_path / "dev.db"
    with sqlite3.connect(path) as connection:
        connection.execute(
            'CREATE TABLE "File" ("id" TEXT NOT NULL PRIMARY KEY, "compressedUrl" TEXT, "thumbnailUrl" TEXT,'
            ' "processed" BOOLEAN NOT NULL DEFAULT false, "createdAt" DATETIME, "updatedAt" DATETIME,'
            ' "failedAt" DATETIME, "error" TEXT)'
        )
        connection.execute(
            f"""INSERT INTO "File" ("id", "createdAt", "updatedAt") VALUES ('1', {written}, {written})"""  # noqa: S608 -- a test's own value
        )
    connection.close()
    app = App(f"sqlite:///{path}", ("1",))
    database = await open_database(app.url, {AppTable.FILE})
    await SqlFiles(database).mark_failed("1", "7", REASON)
    await database.close()

    for name in ("failedAt", "updatedAt"):
        [found] = app.sql(f'SELECT typeof("{name}") AS form, "{name}" AS value FROM "File"')  # noqa: S608 -- its columns
        assert form == found["form"]
        at = (
            datetime.strptime(found["value"], "%Y-%m-%dT%H:%M:%S.%f%z")
            if form == "text"
            else datetime.fromtimestamp(found["value"] / 1000, UTC)
        )
        assert form == "integer" or found["value"].endswith("+00:00")
        assert abs(datetime.now(UTC) - at) < timedelta(seconds=10)


def _postgres(url: str) -> App:
    app = App(url, INTEGER_IDS)
    app.sql(FILES.format(id="INTEGER"))
    return app
