"""The row of a user gets the URL of an avatar, if the app has a column for it."""

from __future__ import annotations

import pytest

from storage.avatars import SqlAvatars
from storage.errors import RowNotFoundError, SchemaError
from storage.tables import AppTable
from tests.support.prisma import TEXT_IDS, UUID_IDS, App, open_database


async def test_avatars(app: App) -> None:
    """The row of a user gets the URL, in the column that the app has for it."""
    app.sql(f'CREATE TABLE "User" ("id" {"TEXT" if app.ids is TEXT_IDS else "INTEGER"} PRIMARY KEY, "picture" TEXT)')
    if app.ids is UUID_IDS:
        app.sql('ALTER TABLE "User" ALTER COLUMN "id" TYPE UUID USING NULL')
    app.insert("User", {"id": app.ids[0]}, {"id": app.ids[1]})
    database = await open_database(app.url, set(AppTable), avatar_table="User")
    avatars = SqlAvatars(database, "picture")

    await avatars.update(app.ids[0], "https://cdn/a.webp")
    with pytest.raises(RowNotFoundError, match="no user has its userId"):
        await avatars.update(app.ids[3], "https://cdn/a.webp")
    with pytest.raises(SchemaError, match='AVATAR_COLUMN: table "User" has no column "image"'):
        SqlAvatars(database, "image")
    await database.close()

    assert [{"picture": "https://cdn/a.webp"}, {"picture": None}] == app.sql(
        'SELECT "picture" FROM "User" ORDER BY "id"'
    )


async def test_a_missing_avatar_table(app: App) -> None:
    """A configured table that does not exist is an error at start."""
    with pytest.raises(SchemaError, match='there is no table "Missing"; set AVATAR_TABLE'):
        await open_database(app.url, set(AppTable), avatar_table="Missing")
