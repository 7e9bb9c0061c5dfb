"""The locale of a subscription, and of its user, on a real Postgres and on SQLite."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import pytest

from storage.database import Database
from storage.errors import SchemaError
from storage.models import User
from storage.tables import AppTable, Wanted
from storage.user_texts import SqlUserTexts

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.subscription_table import Table

SERVERS = pytest.mark.parametrize("server", ["postgres", "sqlite"])


@SERVERS
@pytest.mark.parametrize("more", ["", ', "expirationTime" BIGINT'], ids=["alone", "with-expiration"])
async def test_a_column_of_that_name_is_read(table_of: Callable[[str, str], Table], server: str, more: str) -> None:
    """NULL is none; the other optional columns keep their meaning."""
    table = table_of(server, "TEXT")
    table.create(f', "locale" TEXT{more}')
    table.insert(1, columns=', "locale"', values=", 'de-AT'")
    table.insert(2)

    async with table.open() as subscriptions:
        found = await subscriptions.of_user(table.id(1))
        pruned = await subscriptions.prune(found)

    assert [("de-AT", None, "auth"), ("", None, "auth")] == [(row.locale, row.expires_at, row.auth) for row in found]
    assert pruned == 2


@SERVERS
async def test_a_locale_beside_a_subscription_in_json(table_of: Callable[[str, str], Table], server: str) -> None:
    """Its expirationTime is read from the JSON as before."""
    table = table_of(server, "INTEGER")
    table.create(', "json" TEXT, "lang" TEXT')
    whole = json.dumps({"endpoint": "https://push.example/j", "expirationTime": 1_800_000_000_000})
    table.insert(1, columns=', "json", "lang"', values=f", '{whole}', 'fr'")

    async with table.open("subscription=json,locale=lang") as subscriptions:
        [row] = await subscriptions.of_user(table.id(1))

    assert (row.endpoint, row.expires_at, row.locale) == ("https://push.example/j", 1_800_000_000.0, "fr")


@SERVERS
async def test_a_locale_column_that_is_missing_is_told_at_the_start(
    table_of: Callable[[str, str], Table], server: str
) -> None:
    """If the setting names one."""
    table = table_of(server, "TEXT")
    table.create()

    with pytest.raises(SchemaError, match='has no column "lang"'):
        async with table.open("locale=lang"):
            pass


@pytest.mark.parametrize(
    ("server", "kind", "column"),
    [
        ("postgres", "TEXT", '"Locale"'),
        ("postgres", "UUID", "TEXT"),
        ("sqlite", "INTEGER", "TEXT"),
    ],
    ids=["enum", "uuid", "sqlite"],
)
async def test_the_locales_of_users(table_of: Callable[[str, str], Table], server: str, kind: str, column: str) -> None:
    """For every type of id; users without a locale, or that do not exist, are left out."""
    table = table_of(server, kind)
    if column == '"Locale"':
        table.sql("CREATE TYPE \"Locale\" AS ENUM ('DE', 'EN')")
    table.sql(f'CREATE TABLE "User" ("id" {kind} PRIMARY KEY, "lang" {column})')
    table.sql(f"INSERT INTO \"User\" VALUES ('{table.id(1)}', 'DE'), ('{table.id(2)}', NULL)")  # noqa: S608

    database = await Database.open(table.url, {AppTable.LOCALE: Wanted.usual(User, "User")})
    texts = partial(SqlUserTexts, database, AppTable.LOCALE, setting="PUSH_LOCALE_COLUMN")
    try:
        found = await texts(column="lang").of_users([table.id(n) for n in (1, 2, 3)] + ["\0", "no id"])
        with pytest.raises(SchemaError, match=r'^PUSH_LOCALE_COLUMN: table "User" has no column "locale"$'):
            texts(column="locale")
    finally:
        await database.close()

    assert found == {table.id(1): "DE"}
