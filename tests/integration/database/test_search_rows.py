"""The rows of views for search, as documents."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from storage import bounded, search_view
from storage.database import Database
from storage.errors import SchemaError
from storage.ports import Span
from storage.search_rows import SqlSearchRows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.prisma import App

pytestmark = pytest.mark.parametrize("app", ["postgres-uuid", "sqlite-text"], indirect=True)

ALL = Span()
DAY = 86_400.0
FIRST = 1_796_000_000.0  # seconds since the epoch


@pytest.fixture
async def rows(app: App) -> AsyncIterator[SqlSearchRows]:
    """The port under test."""
    database = await Database.open(app.url, {})
    yield SqlSearchRows(database)
    await database.close()


def is_sqlite(app: App) -> bool:
    """Whether it is SQLite."""
    return app.url.startswith("sqlite")


def view(app: App, name: str, columns: str, *values: str) -> None:
    """A table with these rows, and a view `search_<name>` of all of it."""
    app.sql(f'CREATE TABLE "t_{name}" ({columns})')
    app.sql(f'CREATE VIEW "search_{name}" AS SELECT * FROM "t_{name}"')  # noqa: S608
    for value in values:
        app.sql(f'INSERT INTO "t_{name}" VALUES ({value})')  # noqa: S608 -- a test's own values


async def document(rows: SqlSearchRows, entity: str, row_id: str = "1") -> dict[str, Any]:
    """A row's document, parsed."""
    found = (await rows.with_ids(entity, [row_id]))[row_id].document
    assert found is not None
    assert "\n" not in found
    parsed: dict[str, Any] = json.loads(found)
    return parsed


async def test_all_columns_but_three_are_the_document(app: App, rows: SqlSearchRows) -> None:
    """`id`, `version` and `deletedAt` are read apart; names are as the view has them, hostile ones, too."""
    columns = '"id" TEXT, "version" BIGINT, "deletedAt" TIMESTAMP(3), "ti""t:l%e{0}" TEXT, "userId" INTEGER'
    view(app, "Post", columns, "'a/b''\"\n', 7, NULL, 'Zoë \\ \"x\"', 5", "'gone', 8, '2026-11-30 10:00:00', 'x', 1")

    found = await rows.with_ids("Post", ["a/b'\"\n", "gone", "nobody", "\0", "\ud800"])

    assert json.loads(found["a/b'\"\n"].document or "") == {'ti"t:l%e{0}': 'Zoë \\ "x"', "userId": 5}
    assert [found["a/b'\"\n"].version, found["gone"].version] == [7, 8]
    assert [found["gone"].is_deleted, found["gone"].document, set(found)] == [True, None, {"a/b'\"\n", "gone"}]


async def test_dates_bytes_and_json_are_what_engines_take(app: App, rows: SqlSearchRows) -> None:
    """Dates are UTC with milliseconds, bytes are base64, JSON is itself; a date is also a version, in microseconds."""
    kinds = ("TIMESTAMP(3)", "BLOB", "JSONB") if is_sqlite(app) else ("TIMESTAMP(3)", "BYTEA", "JSON")
    blob = "X'00ff" + "61" * 100 + "'" if is_sqlite(app) else "'\\x00ff" + "61" * 100 + "'"
    columns = f'"id" TEXT, "at" {kinds[0]}, "b" {kinds[1]}, "j" {kinds[2]}, "version" TIMESTAMP(3), "on" BOOLEAN'
    view(app, "x", columns, f"""'1', '2026-11-30 10:00:00.120', {blob}, '{{"a":\n[1, null]}}', '2026-11-30', TRUE""")

    found = await document(rows, "x")

    assert found["at"] == "2026-11-30T10:00:00.120Z"
    assert [found["b"][:4], "\n" in found["b"], found["j"], found["on"]] == ["AP9h", False, {"a": [1, None]}, True]
    assert (await rows.with_ids("x", ["1"]))["1"].version == 1_795_996_800_000_000


async def test_what_json_or_javascript_lacks_fails_no_row(app: App, rows: SqlSearchRows) -> None:
    """NaN, infinity and years before Christ are null; a number that JavaScript would round is a text."""
    if is_sqlite(app):
        view(app, "x", '"id" TEXT, "n" REAL, "i" INTEGER', "'1', 9e999, 9007199254740993")
        assert await document(rows, "x") == {"n": None, "i": "9007199254740993"}
        return
    columns = '"id" TEXT, "n" DOUBLE PRECISION, "d" NUMERIC, "e" NUMERIC, "f" NUMERIC, "i" BIGINT, "t" TIMESTAMPTZ'
    values = (
        "'1', 'NaN', 'NaN', 12.50, 0.12345678901234567891, 9007199254740993, 'infinity'",
        "'2', 'Infinity', 1e400, 1e20, -3, -5, '0044-03-15 BC'",
        "'3', 1e300, 0, 7, 8, 9, '2026-11-30 10:00:00+02'",
    )
    view(app, "x", columns, *values)

    assert await document(rows, "x", "1") == {
        **dict.fromkeys(("n", "d", "t")),
        "e": 12.5,
        "f": "0.12345678901234567891",
        "i": "9007199254740993",
    }
    second = await document(rows, "x", "2")
    assert [second["n"], second["d"], second["e"], second["t"]] == [None, f"1{'0' * 400}", f"1{'0' * 20}", None]
    assert (await document(rows, "x", "3"))["t"] == "2026-11-30T08:00:00.000Z"


async def test_pages_follow_each_other_by_id(app: App, rows: SqlSearchRows, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row is in one page; a page ends where its documents have too many bytes together."""
    kind = {"TEXT": "TEXT", "INTEGER": "INTEGER", "UUID": "UUID"}[app.id_type]
    ids = [str(uuid.UUID(int=n)) if kind == "UUID" else str(n + 10) for n in range(7)]
    view(app, "x", f'"id" {kind}, "text" TEXT', *(f"'{row_id}', '{'z' * 400}'" for row_id in reversed(ids)))
    monkeypatch.setattr(search_view, "PAGE_BYTES", 1000)

    pages, after = [], None
    while page := await rows.page("x", after, 5, ALL):
        after = page[-1].id
        pages.append([row.id for row in page])

    assert [row_id for page in pages for row_id in page] == ids
    assert max(map(len, pages)) == (5 if is_sqlite(app) else 3)
    assert await rows.count("x", ALL) == (7, 7)


async def test_a_count_that_takes_too_long_is_none(
    app: App, rows: SqlSearchRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would take as long the next time: an outage it is not. SQLite has no such bound."""
    monkeypatch.setattr(bounded, "LONGEST", 0.05)
    view(app, "slow", '"id" INTEGER', "1")
    if not is_sqlite(app):
        app.sql('CREATE OR REPLACE VIEW "search_slow" AS SELECT * FROM "t_slow" WHERE pg_sleep(10) IS NOT NULL')

    assert await rows.count("slow", ALL) == ((1, 1) if is_sqlite(app) else None)
    assert await rows.count("slow", ALL) == ((1, 1) if is_sqlite(app) else None)


async def test_a_document_that_is_too_large_is_not_read(
    app: App, rows: SqlSearchRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its size is told, so that the job can say why."""
    view(app, "x", '"id" TEXT, "text" TEXT', f"'1', '{'z' * 400}'")
    monkeypatch.setattr(search_view, "LARGEST", 100)

    [row] = await rows.page("x", None, 5, ALL)

    assert [row.document, row.is_deleted, row.size] == [None, False, len('{"text":""}') + 400]


@pytest.mark.parametrize("kind", ["text", "milliseconds"])
async def test_rows_are_chosen_by_when_they_were_changed(app: App, rows: SqlSearchRows, kind: str) -> None:
    """`start` belongs to the span, and `end` does not; what has no date belongs to none."""
    moments = [FIRST + day * DAY for day in range(4)]
    if is_sqlite(app) and kind == "milliseconds":
        written = [str(int(moment * 1000)) for moment in moments]
    else:
        written = [f"'{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S}'" for moment in moments]
    rows_ = [f"'{n}', {moment}" for n, moment in enumerate(written)]
    view(app, "x", '"id" TEXT, "updatedAt" TIMESTAMP(3)', *rows_, "'none', NULL")

    found = await rows.page("x", None, 10, Span(FIRST + DAY, FIRST + 3 * DAY))

    assert [row.id for row in found] == ["1", "2"]
    assert await rows.count("x", Span(end=FIRST + DAY)) == (1, 1)


async def test_a_view_that_is_not_there_is_named(app: App, rows: SqlSearchRows) -> None:
    """The message says what is missing; a view that is made later is found, and a new column after a count."""
    with pytest.raises(SchemaError, match='there is no view "search_x"'):
        await rows.with_ids("x", ["1"])
    app.sql('CREATE VIEW "search_y" AS SELECT 1 AS "name"')
    with pytest.raises(SchemaError, match='no column "id"'):
        await rows.with_ids("y", ["1"])

    view(app, "x", '"id" TEXT, "a" TEXT', "'1', 'b'")
    assert await document(rows, "x") == {"a": "b"}
    with pytest.raises(SchemaError, match="updatedAt"):
        await rows.count("x", Span(FIRST))
    app.sql('DROP VIEW "search_x"')
    app.sql("""CREATE VIEW "search_x" AS SELECT "id", 'c' AS "c" FROM "t_x" """)
    await rows.count("x", ALL)
    assert await document(rows, "x") == {"c": "c"}
