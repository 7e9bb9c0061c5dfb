"""Tables of notifications as apps have them: with fewer columns, with enums, foreign keys and dates of other forms."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from storage.errors import SchemaError
from storage.notifications import SqlNotifications
from storage.ports import Notice
from storage.tables import AppTable
from storage.user_texts import SqlUserTexts
from tests.support.prisma import App, open_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NEEDED = '"userId" TEXT NOT NULL, "title" TEXT NOT NULL, "body" TEXT NOT NULL, "readAt" TIMESTAMP(3)'
NOTICE = Notice("Hello", "You have mail", "success", "/mail", {"n": 1})
KEY, OTHER = "0b8f6b5e-6c6e-5d0b-8f51-9f3f0f0a7c11", "0b8f6b5e-6c6e-5d0b-8f51-9f3f0f0a7c12"


@asynccontextmanager
async def opened(app: App, columns: str = "", id_: str = "TEXT PRIMARY KEY") -> AsyncIterator[SqlNotifications]:
    """The port over a table with these columns beside those that are needed."""
    app.sql(f'CREATE TABLE "Notification" ("id" {id_}, {NEEDED}{columns})')
    database = await open_database(app.url, {AppTable.NOTIFICATION}, notification_table="Notification")
    try:
        yield SqlNotifications(database)
    finally:
        await database.close()


def row(app: App) -> dict[str, Any]:
    """The only one."""
    [found] = app.sql('SELECT * FROM "Notification"')
    return found


async def test_only_five_columns_are_needed(empty: App) -> None:
    """A dedupeKey needs a sixth, and says so."""
    async with opened(empty) as notifications:
        await notifications.add(NOTICE, {"ada": KEY})
        with pytest.raises(SchemaError, match='dedupeKey: table "Notification" has no column "dedupeKey"'):
            await notifications.add(replace(NOTICE, dedupe_key="k"), {"ada": OTHER})

    assert {"id": KEY, "userId": "ada", "title": "Hello", "body": "You have mail", "readAt": None} == row(empty)


async def test_a_table_without_a_needed_column_is_told_at_start(empty: App) -> None:
    """One line for each, as for other tables; numbers as ids need the key's column."""
    empty.sql('CREATE TABLE "Notification" ("id" INTEGER PRIMARY KEY, "userId" TEXT, "title" TEXT)')
    with pytest.raises(SchemaError) as fault:
        await open_database(empty.url, {AppTable.NOTIFICATION}, notification_table="Notification")
    assert 2 == len(str(fault.value).splitlines())
    empty.sql('DROP TABLE "Notification"')

    with pytest.raises(SchemaError, match='has numbers as ids, and so needs a column "jobKey"'):
        async with opened(empty, id_="INTEGER PRIMARY KEY"):
            pass


async def test_ids_of_numbers_are_the_database_s(empty: App) -> None:
    """A second run finds them by the key, also where the column has no unique index."""
    numbers = "SERIAL PRIMARY KEY" if empty.url.startswith("postgres") else "INTEGER PRIMARY KEY AUTOINCREMENT"
    async with opened(empty, ', "jobKey" TEXT UNIQUE', numbers) as notifications:
        first = await notifications.add(NOTICE, {"ada": KEY})
        second = await notifications.add(NOTICE, {"ada": KEY})

    assert {"ada": "1"} == first.rows == second.rows
    assert KEY == row(empty)["jobKey"]


async def test_users_who_are_gone_cost_the_others_nothing(postgres_url: str) -> None:
    """A foreign key refuses the whole statement."""
    app = App(postgres_url, ())
    app.sql('CREATE TABLE "User" ("id" TEXT PRIMARY KEY)')
    app.sql("INSERT INTO \"User\" SELECT 'u' || n FROM generate_series(0, 29) n WHERE n NOT IN (7, 8, 20)")
    keys = {f"u{n}": f"{n:08}-6c6e-5d0b-8f51-9f3f0f0a7c11" for n in range(30)}
    async with opened(app, ', FOREIGN KEY ("userId") REFERENCES "User"') as notifications:
        told = await notifications.add(NOTICE, keys)

    assert frozenset({"u7", "u8", "u20"}) == told.unknown
    assert keys.keys() - told.unknown == told.rows.keys()
    assert 27 == app.sql('SELECT count(*) AS n FROM "Notification"')[0]["n"]


async def test_an_enum_takes_its_own_spelling(postgres_url: str) -> None:
    """Prisma's enums are often in capitals; a word that it lacks is told with those that it has."""
    app = App(postgres_url, ())
    app.sql("CREATE TYPE \"Kind\" AS ENUM ('INFO', 'SUCCESS')")
    async with opened(app, ', "type" "Kind" NOT NULL') as notifications:
        await notifications.add(NOTICE, {"ada": KEY})
        with pytest.raises(SchemaError, match='type: column "type" takes INFO, SUCCESS only'):
            await notifications.add(replace(NOTICE, type="error"), {"ada": OTHER})

    assert "SUCCESS" == row(app)["type"]


@pytest.mark.parametrize(
    ("others", "kind"), [("1764480000000", int), ("'2026-11-30T00:00:00.000+00:00'", str)], ids=["number", "text"]
)
async def test_dates_on_sqlite_have_the_form_of_the_others(tmp_path: Any, others: str, kind: type[int | str]) -> None:
    """Prisma 6 writes numbers, Prisma 7 text; a list in the order of time needs one form."""
    app = App(f"sqlite:///{tmp_path}/dev.db", ())
    app.sql("VACUUM")
    async with opened(app, ', "createdAt" DATETIME NOT NULL, "updatedAt" DATETIME') as notifications:
        app.sql(f"""INSERT INTO "Notification" VALUES ('a', 'bob', 't', 'b', NULL, {others}, {others})""")  # noqa: S608
        await notifications.add(NOTICE, {"ada": KEY})

    [added] = app.sql('SELECT * FROM "Notification" WHERE "userId" = \'ada\'')
    assert (kind, kind) == (type(added["createdAt"]), type(added["updatedAt"]))


async def test_addresses_come_from_the_table_of_users(empty: App) -> None:
    """Those without one are left out, as are users whom the database can't have."""
    empty.sql('CREATE TABLE "User" ("id" INTEGER PRIMARY KEY, "mail" TEXT)')
    empty.sql("INSERT INTO \"User\" VALUES (1, 'ada@example.com'), (2, NULL), (3, '')")
    database = await open_database(empty.url, {AppTable.NOTIFICATION_USER}, notification_user_table="User")
    texts = partial(SqlUserTexts, database, AppTable.NOTIFICATION_USER, setting="NOTIFICATION_EMAIL_COLUMN")
    try:
        assert {"1": "ada@example.com"} == await texts(column="mail").of_users(["1", "2", "3", "4", "x", "\0"])
        with pytest.raises(SchemaError, match='NOTIFICATION_EMAIL_COLUMN: table "User" has no column "email"'):
            texts(column="email")
    finally:
        await database.close()
