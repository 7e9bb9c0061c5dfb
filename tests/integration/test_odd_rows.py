"""Rows with cells that Python can't hold, or that no app would store: each fault stays with its row."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from storage.cells import LONGEST
from storage.database import Database
from storage.errors import StatementRefusedError
from tests.support.subscription_table import Table

if TYPE_CHECKING:
    from collections.abc import Callable

LATER = 1_798_011_501.234
# Of a column `expirationTime`: its server and type, a value, and what it says (seconds since the epoch).
TIMES = [
    *(("postgres", "TIMESTAMP(3)", value, None) for value in ("'infinity'", "'-infinity'", "'0044-03-15 BC'")),
    ("postgres", "TIMESTAMP(3)", "'294276-12-31 23:59:59'", None),
    *(("postgres", "TIMESTAMPTZ", value, None) for value in ("'infinity'", "'-infinity'", "'0044-03-15 BC'")),
    *(("postgres", "DATE", value, None) for value in ("'infinity'", "'-infinity'", "'0044-03-15 BC'", "'2027-01-15'")),
    *(
        ("postgres", "NUMERIC", value, None)
        for value in ("'NaN'", "'Infinity'", "'-Infinity'", "-1", "repeat('9', 999)")
    ),
    *(("postgres", "DOUBLE PRECISION", value, None) for value in ("'NaN'", "'Infinity'", "'-Infinity'", "1e308", "-1")),
    ("postgres", "DOUBLE PRECISION", "1798011501234", LATER),
    ("postgres", "TEXT", "'1798011501234'", LATER),
    ("postgres", "TEXT", "'1798-01-15'", None),
    ("postgres", "TEXT", "repeat('9', 1000000)", None),
    ("postgres", "BIGINT[]", "'{1798011501234, NULL}'", None),
    ("postgres", "JSONB", "'1798011501234'", LATER),
    *(("postgres", "JSONB", value, None) for value in ("'null'", "'[]'", "'{\"a\": [1]}'")),
    ("postgres", "BYTEA", "'\\x00ff'", None),
    ("postgres", "INTERVAL", "'178000000 years'", None),
    ("postgres", "BOOLEAN", "true", None),
    *(("sqlite", "DATETIME", value, None) for value in ("9e999", "-9e999", "x'ff00'", "CAST(x'ff00' AS TEXT)")),
    ("sqlite", "DATETIME", "CAST(x'00' AS TEXT)", None),
    ("sqlite", "DATETIME", "'1798011501234'", LATER),
    ("sqlite", "NUMERIC", "'none'", None),
]
# Of the columns that a push needs: what must not fail the others' rows.
CELLS = [
    *(("postgres", column, "JSONB", "'[1, null, {}]'") for column in ("endpoint", "p256dh", "auth")),
    *(("postgres", column, "BYTEA", "'\\xff00'") for column in ("endpoint", "p256dh", "auth")),
    *(("postgres", column, "TEXT[]", "'{a, NULL}'") for column in ("endpoint", "p256dh", "auth")),
    *(("postgres", column, "TIMESTAMP", "'infinity'") for column in ("endpoint", "p256dh", "auth")),
    *(("postgres", column, "TEXT", "repeat('x', 4000000)") for column in ("endpoint", "p256dh", "auth")),
    *(("sqlite", column, "TEXT", "x'ff00'") for column in ("endpoint", "p256dh", "auth")),
    *(("sqlite", column, "TEXT", "CAST(x'ff00' AS TEXT)") for column in ("endpoint", "p256dh", "auth")),
    *(("sqlite", column, "DATETIME", "'noon'") for column in ("endpoint", "p256dh", "auth")),
]


@pytest.mark.parametrize(("server", "column", "value", "seconds"), TIMES)
async def test_a_malformed_expiration_time_is_ignored(
    table_of: Callable[[str, str], Table], server: str, column: str, value: str, seconds: float | None
) -> None:
    """Its row is read without one, and the rows beside it as they are: in a page, and with many users."""
    table = table_of(server, "TEXT")
    table.create(f', "expirationTime" {column}')
    for number in (1, 3):
        table.insert(number, user=number)
    cast = f"::{column}" if server == "postgres" else ""
    table.insert(2, user=2, columns=', "expirationTime"', values=f", ({value}){cast}")

    async with table.open() as subscriptions:
        page = await subscriptions.page(None, 10)
        users = await asyncio.gather(*(subscriptions.of_user(table.id(user)) for user in (1, 2, 3, 2, 1)))

    assert [(table.id(1), None), (table.id(2), seconds), (table.id(3), None)] == [
        (row.id, row.expires_at and pytest.approx(row.expires_at)) for row in page
    ]
    assert [[table.id(user)] for user in (1, 2, 3, 2, 1)] == [[row.id for row in rows] for rows in users]


@pytest.mark.parametrize("column", ["TIMESTAMP(3)", "TIMESTAMPTZ"])
@pytest.mark.parametrize("style", ["German", "SQL,DMY", "Postgres"])
async def test_a_server_that_writes_dates_in_its_own_way(postgres_url: str, column: str, style: str) -> None:
    """A date is read as a date, whatever text the server would make of it."""
    table = Table(postgres_url, "TEXT")
    table.create(f', "expirationTime" {column}')
    table.insert(1, columns=', "expirationTime"', values=", '2027-01-15 08:00:00+00'")
    table.url += f"&options=-c%20datestyle%3D{style}%20-c%20timezone%3DUTC"

    async with table.open() as subscriptions:
        [row] = await subscriptions.of_user(table.id(1))

    assert 1_800_000_000.0 == row.expires_at


@pytest.mark.parametrize(("server", "column", "kind", "value"), CELLS)
async def test_a_cell_of_another_kind(
    table_of: Callable[[str, str], Table], server: str, column: str, kind: str, value: str
) -> None:
    """It is read as text of bounded size; the row can be deleted by it, unless it was no text at all."""
    table = table_of(server, "TEXT")
    table.create()
    for number in (1, 2, 3):
        table.insert(number, user=number)
    if server == "postgres":
        cast = f'ALTER COLUMN "{column}" TYPE {kind} USING ({value})::{kind}'
        table.sql(f'ALTER TABLE "PushSubscription" {cast}')
    else:
        table.sql(f'UPDATE "PushSubscription" SET "{column}" = {value}')  # noqa: S608 -- a test's own values

    async with table.open() as subscriptions:
        page = await subscriptions.page(None, 10)
        [row] = await subscriptions.of_user(table.id(2))
        deleted = await subscriptions.prune(page[1:2])

    assert [table.id(1), table.id(2), table.id(3)] == [each.id for each in page]
    assert row == page[1]
    assert len(getattr(row, column)) <= LONGEST
    assert deleted == 1 or "ff00" in value


async def test_a_row_without_an_id(table_of: Callable[[str, str], Table]) -> None:
    """SQLite lets a primary key be NULL: no page can end there, so it is skipped; the others all come."""
    table = table_of("sqlite", "TEXT")
    table.create()
    for number in (1, 2):
        table.insert(number)
        table.insert(number + 10)
        table.sql(f"""UPDATE "PushSubscription" SET "id" = NULL WHERE "id" = '{table.id(number + 10)}'""")  # noqa: S608

    async with table.open() as subscriptions:
        first = await subscriptions.page(None, 1)
        second = await subscriptions.page(first[-1].id, 1)
        rows = await subscriptions.of_user(table.id(1))

    assert [table.id(1), table.id(2)] == [row.id for row in [*first, *second]] == [row.id for row in rows]


async def test_a_statement_that_the_database_refuses(postgres_url: str) -> None:
    """The reason has a code, and neither SQL nor a value."""
    database = await Database.open(postgres_url, {})

    with pytest.raises(StatementRefusedError) as refused:
        async with database.connection() as connection:
            await connection.exec_driver_sql("SELECT 's3cret'::int")
    await database.close()

    assert "the database refuses a statement (InvalidTextRepresentation, 22P02)" == str(refused.value)
    assert refused.value.__cause__ is None
