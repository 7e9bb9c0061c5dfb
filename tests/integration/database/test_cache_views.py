"""The rows of views for the app's cache, as one JSON array."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from storage import bounded
from storage.cache_views import SqlCacheViews
from storage.database import Database
from storage.errors import SchemaError, StatementRefusedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.prisma import App

MOST = 1000


@pytest.fixture
async def views(empty: App) -> AsyncIterator[SqlCacheViews]:
    """The port under test."""
    database = await Database.open(empty.url, {})
    yield SqlCacheViews(database)
    await database.close()


def is_sqlite(app: App) -> bool:
    """Whether it is SQLite."""
    return app.url.startswith("sqlite")


async def test_a_view_is_an_array_in_its_own_order(empty: App, views: SqlCacheViews) -> None:
    """Dates, numbers and JSON are what JavaScript can read; a new view needs no restart."""
    with pytest.raises(SchemaError, match='there is no view "cache_Top"'):
        await views.read("Top", MOST)
    kind = "JSONB" if not is_sqlite(empty) else "JSON"
    empty.sql(f'CREATE TABLE "P" ("id" INTEGER, "ti""t:l%e" TEXT, "at" TIMESTAMP(3), "big" BIGINT, "j" {kind})')
    for number in (2, 3, 1):
        empty.sql(
            f"""INSERT INTO "P" VALUES ({number}, 'Zoë "x"', '2026-11-30 10:00:00', 9007199254740993, '{{"a": [1]}}')"""  # noqa: S608
        )
    empty.sql('CREATE VIEW "cache_Top" AS SELECT * FROM "P" ORDER BY "id" DESC')

    found = json.loads(await views.read("Top", MOST) or "")

    assert [row["id"] for row in found] == [3, 2, 1]
    assert found[0] == {
        "id": 3,
        'ti"t:l%e': 'Zoë "x"',
        "at": "2026-11-30T10:00:00.000Z",
        "big": "9007199254740993",
        "j": {"a": [1]},
    }


async def test_a_view_without_rows_is_an_empty_array(empty: App, views: SqlCacheViews) -> None:
    """The app can tell it from a key that is missing."""
    empty.sql('CREATE VIEW "cache_none" AS SELECT 1 AS "n" WHERE 1 = 0')
    assert await views.read("none", MOST) == "[]"


async def test_a_value_that_is_too_large_is_not_sent(empty: App, views: SqlCacheViews) -> None:
    """Exactly as many bytes as are allowed are."""
    text = "SELECT 'é' AS t UNION ALL SELECT 'z'" if is_sqlite(empty) else "SELECT U&'\\00e9' AS t UNION ALL SELECT 'z'"
    empty.sql(f'CREATE VIEW "cache_x" AS {text}')
    size = len((await views.read("x", MOST) or "").encode())
    assert json.loads(await views.read("x", size) or "") == [{"t": "é"}, {"t": "z"}]
    assert await views.read("x", size - 1) is None


@pytest.mark.matrix
@pytest.mark.parametrize("empty", ["postgres"], indirect=True)
async def test_a_view_of_any_size_takes_no_memory_of_the_database(empty: App, views: SqlCacheViews) -> None:
    """Postgres makes no text of more than a GiB; here it would have one and a half."""
    empty.sql("CREATE VIEW \"cache_big\" AS SELECT repeat('x', 1000) AS t FROM generate_series(1, 1500000)")
    assert await views.read("big", MOST) is None


@pytest.mark.parametrize("empty", ["postgres"], indirect=True)
async def test_a_view_neither_writes_nor_takes_for_ever(
    empty: App, views: SqlCacheViews, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its transaction is read-only, and Postgres ends it."""
    empty.sql('CREATE TABLE "T" ("n" INTEGER)')
    empty.sql("""CREATE FUNCTION w() RETURNS integer LANGUAGE sql AS 'INSERT INTO "T" VALUES (1) RETURNING 1'""")
    empty.sql('CREATE VIEW "cache_w" AS SELECT w() AS n')
    empty.sql('CREATE VIEW "cache_s" AS SELECT pg_sleep(30)::text AS n')
    with pytest.raises(Exception, match="25006"):
        await views.read("w", MOST)
    assert empty.sql('SELECT * FROM "T"') == []
    monkeypatch.setattr(bounded, "LONGEST", 0.2)
    with pytest.raises(StatementRefusedError, match="cancelled"):
        await views.read("s", MOST)
