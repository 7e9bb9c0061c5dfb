"""A file's row gets its job's result, and no other row or column is changed."""

from __future__ import annotations

from contextlib import asynccontextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import make_url

from storage.errors import NotOwnerError, RowNotFoundError
from storage.files import SqlFiles
from storage.tables import AppTable
from tests.support.prisma import FILES, IMPOSSIBLE, TEXT_IDS, App, open_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def test_mark_processed(app: App, files: SqlFiles) -> None:
    """The file's row gets the values whose columns exist; its other columns and the other rows stay."""
    app.add_files()

    await files.mark_processed(app.ids[0], {"compressedUrl": "https://cdn/c", "width": 640, "blurhash": "no column"})

    marked, other = app.sql('SELECT * FROM "File" ORDER BY "id"')
    assert ("holiday", "https://cdn/c", None, 640, True) == (
        marked["name"],
        marked["compressedUrl"],
        marked["thumbnailUrl"],
        marked["width"],
        bool(marked["processed"]),
    )
    assert (None, None, False) == (other["compressedUrl"], other["updatedAt"], bool(other["processed"]))


async def test_mark_processed_again(app: App, files: SqlFiles) -> None:
    """A job that runs twice marks its file twice without an error."""
    app.add_files()

    await files.mark_processed(app.ids[0], {"compressedUrl": "https://cdn/1"})
    await files.mark_processed(app.ids[0], {"compressedUrl": "https://cdn/2"})

    (row,) = app.sql('SELECT "compressedUrl" FROM "File" WHERE "processed"')
    assert {"compressedUrl": "https://cdn/2"} == row


async def test_a_row_that_has_its_values_is_not_touched(app: App, files: SqlFiles) -> None:
    """A job that runs twice changes its row once, so a change feed sees one change."""
    app.insert("File", {"id": app.ids[0], "name": "holiday"})
    values = {"compressedUrl": "https://cdn/1", "width": 640, "thumbnailUrl": None}
    await files.mark_processed(app.ids[0], values)
    app.sql("""UPDATE "File" SET "updatedAt" = '2001-01-01 00:00:00'""")

    await files.mark_processed(app.ids[0], values)
    [row] = app.sql('SELECT * FROM "File"')
    assert ("2001", True) == (str(row["updatedAt"])[:4], bool(row["processed"]))

    await files.mark_processed(app.ids[0], values | {"width": 641})
    [row] = app.sql('SELECT * FROM "File"')
    assert (641, False) == (row["width"], str(row["updatedAt"]).startswith("2001"))


@pytest.mark.parametrize("file", [3, 4])
async def test_mark_an_unknown_file(app: App, files: SqlFiles, file: int) -> None:
    """A file that does not exist raises RowNotFoundError."""
    app.add_files()

    with pytest.raises(RowNotFoundError, match="no file has its fileId"):
        await files.mark_processed(app.ids[file], {})


async def test_mark_an_id_that_the_column_can_not_hold(app: App, files: SqlFiles) -> None:
    """Such an id is an unknown file, and no row is touched."""
    app.add_files()

    for file_id in IMPOSSIBLE:
        with pytest.raises(RowNotFoundError, match="no file has its fileId"):
            await files.mark_processed(file_id, {})

    assert [] == app.sql('SELECT "id" FROM "File" WHERE "processed"')


@pytest.mark.parametrize(("kind", "zone"), [("TIMESTAMP(3)", None), ("TIMESTAMPTZ(3)", UTC)])
async def test_updated_at(postgres_url: str, kind: str, zone: Any) -> None:
    """`updatedAt`, which Prisma's client would set, is set to now in UTC, whatever the database's time zone is."""
    app = App(postgres_url, TEXT_IDS)
    app.sql(f"ALTER DATABASE {make_url(postgres_url).database} SET timezone = 'Asia/Tokyo'")
    app.sql(FILES.format(id="TEXT").replace("TIMESTAMP(3)", kind))
    app.add_files()
    database = await open_database(app.url, {AppTable.FILE})

    await SqlFiles(database).mark_processed(app.ids[0], {})
    await database.close()

    (row,) = app.sql('SELECT "updatedAt" FROM "File" WHERE "processed"')
    assert abs(datetime.now(UTC).replace(tzinfo=zone) - row["updatedAt"]) < timedelta(seconds=10)


@pytest.mark.parametrize(("user", "outcome"), [(0, None), (1, NotOwnerError), (3, NotOwnerError)])
async def test_a_file_must_be_the_jobs_users(app: App, user: int, outcome: type[Exception] | None) -> None:
    """The ids are compared as the column compares."""
    app.sql(f'ALTER TABLE "File" ADD COLUMN "userId" {app.id_type}')
    app.add_files()
    app.sql(f"""UPDATE "File" SET "userId" = '{app.ids[0]}'""")  # noqa: S608 -- a test's own value
    async with opened(app) as files:
        with nullcontext() if outcome is None else pytest.raises(outcome, match="another user's"):
            await files.check_owner(app.ids[0], app.ids[user])
        for impossible in IMPOSSIBLE:
            with pytest.raises(NotOwnerError):
                await files.check_owner(app.ids[0], impossible)
            with pytest.raises(RowNotFoundError):
                await files.check_owner(impossible, app.ids[user])


async def test_a_file_without_a_user_is_any_users(app: App) -> None:
    """So is one of a table without that column; a row that is missing belongs to no user."""
    app.add_files()
    async with opened(app) as files:
        await files.check_owner(app.ids[0], app.ids[3])
        with pytest.raises(RowNotFoundError, match="no file has its fileId"):
            await files.check_owner(app.ids[3], app.ids[3])
    app.sql(f'ALTER TABLE "File" ADD COLUMN "userId" {app.id_type}')
    async with opened(app) as files:
        await files.check_owner(app.ids[0], app.ids[3])


@asynccontextmanager
async def opened(app: App) -> AsyncIterator[SqlFiles]:
    """The port over the table as it is now."""
    database = await open_database(app.url, {AppTable.FILE})
    yield SqlFiles(database)
    await database.close()
