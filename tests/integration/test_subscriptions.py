"""Subscriptions in pages and by id, with optional columns missing, on a real Postgres and on SQLite."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import Integer, bindparam, func, literal_column, select

from storage.errors import StorageAwayError
from tests.support.polling import PATIENCE
from tests.support.subscription_table import NULLABLE, Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from storage.subscriptions import SqlSubscriptions

KINDS = [
    ("postgres", "TEXT"),
    ("postgres", "INTEGER"),
    ("postgres", "UUID"),
    ("sqlite", "TEXT"),
    ("sqlite", "INTEGER"),
]


@pytest.fixture(params=KINDS, ids="-".join)
def table(request: pytest.FixtureRequest, table_of: Callable[[str, str], Table]) -> Table:
    """An empty table with nullable columns."""
    made = table_of(*request.param)
    made.create()
    return made


async def ids_by_page(subscriptions: SqlSubscriptions, limit: int, users: list[str] | None = None) -> list[list[str]]:
    """All pages."""
    pages, after = [], None
    while rows := await subscriptions.page(after, limit, users):
        pages.append([row.id for row in rows])
        after = rows[-1].id
    return pages


async def test_pages_have_each_row_once_in_order(table: Table) -> None:
    """Keyset paging, for every type of id."""
    for number in range(1, 13):
        table.insert(number)

    async with table.open() as subscriptions:
        pages = await ids_by_page(subscriptions, 5)
        count = await subscriptions.count()

    assert [len(page) for page in pages] == [5, 5, 2]
    assert [row for page in pages for row in page] == [table.id(n) for n in range(1, 13)]
    assert count == 12


async def test_pages_of_some_users(table: Table) -> None:
    """Only their rows; impossible ids and unknown users match nothing."""
    for number in range(1, 9):
        table.insert(number, user=number % 3 + 1)

    async with table.open() as subscriptions:
        users = [table.id(1), table.id(2), table.id(7), "no id", "\0", "9" * 40, "9223372036854775807"]
        pages = await ids_by_page(subscriptions, 3, users)
        none = await subscriptions.page(None, 3, ["no id"])

    assert [row for page in pages for row in page] == [table.id(n) for n in (1, 3, 4, 6, 7)]
    assert none == []


async def test_rows_that_go_between_two_pages_shift_nothing(table: Table) -> None:
    """As when rows found gone in the first page are deleted."""
    for number in range(1, 9):
        table.insert(number)

    async with table.open() as subscriptions:
        first = await subscriptions.page(None, 4)
        await subscriptions.prune(first[2:])
        second = await subscriptions.page(first[-1].id, 4)

    assert [row.id for row in second] == [table.id(n) for n in (5, 6, 7, 8)]


async def test_with_ids(table: Table) -> None:
    """Those that exist, by id."""
    for number in (1, 2, 3):
        table.insert(number)

    async with table.open() as subscriptions:
        wanted = [table.id(3), table.id(1), table.id(9), "no id", "9223372036854775807"]
        rows = await subscriptions.with_ids(wanted)
        none = await subscriptions.with_ids([])

    assert [row.id for row in rows] == [table.id(1), table.id(3)]
    assert none == []


async def test_a_row_with_nulls_is_read_and_can_be_pruned(table: Table) -> None:
    """It is no valid subscription, but the others of its page must not suffer."""
    table.insert(1)
    table.sql(f"""INSERT INTO "PushSubscription" ("id", "userId") VALUES ('{table.id(2)}', '{table.id(1)}')""")  # noqa: S608

    async with table.open() as subscriptions:
        _, empty = await subscriptions.of_user(table.id(1))
        deleted = await subscriptions.prune([empty])
        left = await subscriptions.count()

    assert (empty.endpoint, empty.p256dh, empty.auth) == ("", "", "")
    assert (deleted, left) == (1, 1)


@pytest.mark.parametrize(
    ("server", "column", "value", "seconds"),
    [
        ("postgres", "BIGINT", "1800000000000", 1_800_000_000.0),
        ("postgres", "DOUBLE PRECISION", "1800000000000.5", 1_800_000_000.0005),
        ("postgres", "NUMERIC", "1800000000000", 1_800_000_000.0),
        ("postgres", "TIMESTAMP(3)", "'2027-01-15 08:00:00'", 1_800_000_000.0),
        ("postgres", "TIMESTAMPTZ", "'2027-01-15 09:00:00+01'", 1_800_000_000.0),
        ("postgres", "TEXT", "'soon'", None),
        ("postgres", "BIGINT", "-5", None),
        ("postgres", "INTEGER", "1800000000", None),  # seconds: as milliseconds it were long past, and the row deleted
        ("postgres", "BIGINT", "NULL", None),
        ("sqlite", "DATETIME", "1800000000000", 1_800_000_000.0),
        ("sqlite", "DATETIME", "'2027-01-15T08:00:00.000Z'", 1_800_000_000.0),
        ("sqlite", "BIGINT", "1800000000000", 1_800_000_000.0),
        ("sqlite", "DATETIME", "'soon'", None),
    ],
)
async def test_the_expiration_time_is_read_if_there_is_one(
    table_of: Callable[[str, str], Table], server: str, column: str, value: str, seconds: float | None
) -> None:
    """As the browser gave it, or as a date; a malformed one counts as none."""
    table = table_of(server, "TEXT")
    table.create(f', "expirationTime" {column}')
    table.insert(1, columns=', "expirationTime"', values=f", {value}")

    async with table.open() as subscriptions:
        [row] = await subscriptions.of_user(table.id(1))

    assert row.expires_at == (None if seconds is None else pytest.approx(seconds))


async def test_users_that_are_asked_for_at_once(table: Table) -> None:
    """Each gets its own rows, although they share a query."""
    for number in range(1, 13):
        table.insert(number, user=number % 5)

    async with table.open() as subscriptions:
        users = [*range(7), 3]
        await subscriptions.of_user(table.id(1))
        found = await asyncio.gather(*(subscriptions.of_user(table.id(user)) for user in users))

    assert [[table.id(n) for n in range(1, 13) if n % 5 == user] for user in users] == [
        [row.id for row in rows] for rows in found
    ]


async def test_a_column_that_compares_in_its_own_way(postgres_url: str) -> None:
    """CHAR(n) pads its values with spaces, so no key equals one here; all users are found, also together."""
    table = Table(postgres_url, "TEXT")
    table.create()
    table.sql('ALTER TABLE "PushSubscription" ALTER COLUMN "userId" TYPE CHAR(12)')
    for number in (1, 2, 3):
        table.insert(number, user=number)

    async with table.open() as subscriptions:
        found = await asyncio.gather(*(subscriptions.of_user(table.id(user)) for user in (1, 2, 3)))

    assert [[table.id(n)] for n in (1, 2, 3)] == [[row.id for row in rows] for rows in found]


async def test_a_sqlite_column_that_ignores_case(table_of: Callable[[str, str], Table]) -> None:
    """SQLite does not report that of a column; its rows are found all the same."""
    table = table_of("sqlite", "TEXT")
    table.create()
    table.sql('ALTER TABLE "PushSubscription" RENAME TO "Old"')
    table.sql(NULLABLE.format(id="TEXT COLLATE NOCASE", more=""))
    for number in (1, 2, 3):
        table.insert(number, user=number)

    async with table.open() as subscriptions:
        found = await asyncio.gather(*(subscriptions.of_user(table.id(user).upper()) for user in (1, 2, 3)))

    assert [[table.id(n)] for n in (1, 2, 3)] == [[row.id for row in rows] for rows in found]


async def test_a_connection_that_the_server_has_closed(postgres_url: str) -> None:
    """Servers and poolers close idle ones: the next look-up opens a new one, without an error."""
    table = Table(postgres_url, "TEXT")
    table.create()
    table.insert(1)

    async with table.open() as subscriptions:
        before = await subscriptions.of_user(table.id(1))
        table.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        after = await subscriptions.of_user(table.id(1))

    assert [table.id(1)] == [row.id for row in before] == [row.id for row in after]


async def test_a_look_up_that_is_cut_short(postgres_url: str) -> None:
    """Its connection is not used again in an unknown state; the next look-up gets its own answer."""
    table = Table(postgres_url, "TEXT")
    table.create()
    table.insert(1)

    async with table.open() as subscriptions:
        numbers = bindparam("numbers", type_=Integer(), expanding=True)
        sleep = select(func.pg_sleep(literal_column("60"))).where(literal_column("1", Integer()).in_(numbers))
        read = subscriptions._database.reader(sleep)
        assert [] == await read([2, 3])
        reading = asyncio.create_task(read([1]))
        await until_it_runs(table, "SELECT pg_sleep")
        reading.cancel()
        await asyncio.wait([reading])
        assert [] == await read([2])

    assert reading.cancelled()


async def test_a_look_up_that_the_server_refuses(postgres_url: str) -> None:
    """The statement is at fault: the connection is kept."""
    table = Table(postgres_url, "TEXT")
    table.create()
    table.insert(1)

    async with table.open() as subscriptions:
        await subscriptions.of_user(table.id(1))
        [reader] = subscriptions._database._readers
        connection = reader._connection
        table.sql('ALTER TABLE "PushSubscription" RENAME TO "Old"')
        with pytest.raises(StorageAwayError, match=r"lacks a table; have the app's migrations run\? \(42P01\)"):
            await subscriptions.of_user(table.id(1))
        table.sql('ALTER TABLE "Old" RENAME TO "PushSubscription"')
        assert [table.id(1)] == [row.id for row in await subscriptions.of_user(table.id(1))]
        assert connection is reader._connection


async def until_it_runs(table: Table, words: str) -> None:
    """Wait until the server runs a statement with these words."""
    query = f"SELECT 1 FROM pg_stat_activity WHERE query LIKE '%{words}%' AND pid <> pg_backend_pid()"  # noqa: S608
    async with await psycopg.AsyncConnection.connect(table.url, autocommit=True) as server, asyncio.timeout(PATIENCE):
        while not await (await server.execute(query.encode())).fetchall():
            await asyncio.sleep(0.01)
