"""What users want, in tables as apps have them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from storage.database import Database
from storage.errors import SchemaError
from storage.models import NotificationPreference
from storage.ports import Preference
from storage.preferences import SqlPreferences
from storage.tables import AppTable, Wanted
from tests.support.prisma import IMPOSSIBLE, App

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

# As docs/preferences.md has it.
PRISMAS = """CREATE TABLE "NotificationPreference" ("id" TEXT PRIMARY KEY, "userId" {id} NOT NULL,
    "channel" TEXT NOT NULL DEFAULT '*', "type" TEXT NOT NULL DEFAULT '*', "enabled" BOOLEAN NOT NULL DEFAULT true,
    "quietFrom" TEXT, "quietTo" TEXT, "timeZone" TEXT, UNIQUE ("userId", "channel", "type"))"""


@asynccontextmanager
async def opened(app: App) -> AsyncIterator[SqlPreferences]:
    """The port over the app's table."""
    wanted = Wanted.usual(NotificationPreference, "NotificationPreference")
    database = await Database.open(app.url, {AppTable.PREFERENCE: wanted})
    try:
        yield SqlPreferences(database)
    finally:
        await database.close()


def add(app: App, *rows: dict[str, Any]) -> None:
    """Insert rows, each with a new id."""
    for number, row in enumerate(rows):
        app.insert("NotificationPreference", {"id": f"p{number}", **row})


async def test_rows_of_users(app: App) -> None:
    """Each user's own, for all types and the one that is asked for; others have none."""
    first, second, third, nobody, _ = app.ids
    app.sql(PRISMAS.format(id=app.id_type))
    night = {"quietFrom": "22:00", "quietTo": "07:00", "timeZone": "Europe/Berlin"}
    add(
        app,
        {"userId": first, **night},
        {"userId": first, "channel": "push", "type": "mention", "enabled": "false"},
        {"userId": first, "type": "like"},
        {"userId": second, "channel": "IN_APP", "type": "like", "enabled": "0"},
    )

    async with opened(app) as preferences:
        found = await preferences.of_users([first, second, third, nobody, *IMPOSSIBLE], "mention")
        without_type = await preferences.of_users([first], None)
        likes = await preferences.of_users([second], "like")
        odd = await preferences.of_users([first], "\0'\ud800")

    everything = Preference("*", "*", True, "22:00", "07:00", "Europe/Berlin")  # noqa: FBT003 -- a row
    assert {first: {everything, Preference("push", "mention", enabled=False)}} == {
        user: set(rows) for user, rows in found.items()
    }
    assert {first: [everything]} == without_type == odd
    assert {second: [Preference("IN_APP", "like", enabled=False)]} == likes


SHAPES = {
    "time columns": ("TIME, {q} TIME", "'22:00:00', '07:00:30'", ("22:00:00", "07:00:30")),
    "minutes": ("INTEGER, {q} INTEGER", "1320, 420", ("1320", "420")),
    "dates": ("TIMESTAMP(3), {q} TIMESTAMP(3)", "'1970-01-01 22:00:00', NULL", ("1970-01-01 22:00:00", "")),
    "numbers": ("NUMERIC, {q} TEXT", "1320.0, 'never'", None),
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_odd_columns(empty: App, shape: str) -> None:
    """No id, no channel, an enabled that may be NULL, and times in other types."""
    columns, values, read = SHAPES[shape]
    times = columns.replace("{q}", '"quietTo"')
    empty.sql(f"""CREATE TABLE "NotificationPreference" ("userId" TEXT, "enabled" BOOLEAN, "quietFrom" {times})""")
    empty.sql(f"""INSERT INTO "NotificationPreference" VALUES ('ann', NULL, {values})""")  # noqa: S608 -- a test's own

    async with opened(empty) as preferences:
        [row] = (await preferences.of_users(["ann", "bob"], "mention"))["ann"]

    assert row.enabled is None
    assert row.channel == row.type == row.time_zone == ""
    assert read is None or (row.quiet_from, row.quiet_to) == read


@pytest.mark.parametrize("empty", ["postgres"], indirect=True)  # SQLite has no enums
async def test_an_enum_of_postgres(empty: App) -> None:
    """Prisma's; a type that it does not have finds nothing."""
    empty.sql("CREATE TYPE \"Kind\" AS ENUM ('MENTION', 'LIKE')")
    empty.sql('CREATE TABLE "NotificationPreference" ("userId" TEXT, "type" "Kind", "enabled" BOOLEAN)')
    empty.sql("INSERT INTO \"NotificationPreference\" VALUES ('ann', 'MENTION', false), ('ann', NULL, true)")

    async with opened(empty) as preferences:
        mention = (await preferences.of_users(["ann"], "MENTION"))["ann"]
        other = (await preferences.of_users(["ann"], "no such"))["ann"]

    assert {False, True} == {row.enabled for row in mention}
    assert [Preference(enabled=True)] == other


async def test_users_whom_the_database_compares_otherwise(empty: App) -> None:
    """Without regard to case: each gets what the database finds for it."""
    kind = "TEXT COLLATE NOCASE" if empty.url.startswith("sqlite") else "CITEXT"
    if kind == "CITEXT":
        empty.sql("CREATE EXTENSION citext")
    empty.sql(f'CREATE TABLE "NotificationPreference" ("userId" {kind}, "enabled" BOOLEAN)')
    empty.sql("INSERT INTO \"NotificationPreference\" VALUES ('Ann', false)")

    async with opened(empty) as preferences:
        found = await preferences.of_users(["ann", "ANN", "bob"], None)

    assert {"ann", "ANN"} == found.keys()


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        ("", 'there is no table "NotificationPreference"; set PREFERENCE_TABLE'),
        ('"enabled" BOOLEAN', 'has no column "userId"'),
        ('"userId" TEXT, "quietFrom" TEXT', 'neither "enabled" nor "quietFrom" and "quietTo"'),
    ],
    ids=["no table", "no user", "nothing to want"],
)
async def test_a_table_that_says_nothing(empty: App, columns: str, fault: str) -> None:
    """It is a fault at start: a user who has switched something off must not get it for a misspelt name."""
    if columns:
        empty.sql(f'CREATE TABLE "NotificationPreference" ({columns})')
    with pytest.raises(SchemaError, match=fault):
        async with opened(empty):
            pass
