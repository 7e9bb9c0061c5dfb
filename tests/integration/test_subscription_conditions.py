"""Choose subscriptions by the app's own columns, on a real Postgres and on SQLite."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from storage.errors import ConditionRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.support.subscription_table import Table

COLUMNS = ', "on" BOOLEAN, "plan" TEXT, "level" INTEGER, "score" DOUBLE PRECISION'
WHERE = "active=on,plan,level,score"
ENUM = "CREATE TYPE \"Mood\" AS ENUM ('GOOD', 'BAD')"
ONS = [True, False, None]
PLANS = ["free", "Free", "pro", "", "5", None]
LEVELS = [0, 1, 5, -7, None]
SCORES = [0.0, 1.5, 5.0, None]
ROWS: list[dict[str, Any]] = [
    {
        "active": ONS[n % 3],
        "plan": PLANS[n % 6],
        "level": LEVELS[n % 5],
        "score": SCORES[n % 4],
    }
    for n in range(60)
]
ASKED = st.fixed_dictionaries(
    {},
    optional={
        "active": st.lists(st.sampled_from([*ONS, 0, 1]), max_size=3),
        "plan": st.lists(st.sampled_from([*PLANS, 5, "gone", "\0", "\ud800", "' OR 1=1 --"]), max_size=3),
        "level": st.lists(st.sampled_from([*LEVELS, 1.5, 5.0, "5", 10**30, True]), max_size=3),
        "score": st.lists(st.sampled_from([*SCORES, 5, 10**400, True]), max_size=3),
    },
)


def sql(value: Any) -> str:
    """A literal."""
    return "NULL" if value is None else str(value).lower() if isinstance(value, bool) else f"'{value}'"


@pytest.fixture(params=["postgres", "sqlite"])
def table(request: pytest.FixtureRequest, table_of: Callable[[str, str], Table]) -> Table:
    """Sixty rows with all kinds of values."""
    table = table_of(request.param, "TEXT")
    table.create(COLUMNS)
    rows = ", ".join(
        f"('{table.id(number)}', '{table.id(number % 2)}', {', '.join(map(sql, row.values()))})"
        for number, row in enumerate(ROWS)
    )
    table.sql(f'INSERT INTO "PushSubscription" ("id", "userId", "on", "plan", "level", "score") VALUES {rows}')  # noqa: S608
    return table


def has(value: Any, wanted: Sequence[Any], *, is_text: bool) -> bool:
    """Whether a cell has one of the wanted values, as an app would compare them."""
    if value is None:
        return None in wanted
    if is_text:
        return value in [str(each) for each in wanted if each is not None]
    return value in [float(each) if isinstance(each, str) else each for each in wanted if each is not None]


async def test_the_rows_are_those_that_have_the_values(table: Table) -> None:
    """For any conditions, in all ways to read: nobody else, and nobody less."""
    loop = asyncio.get_running_loop()
    async with table.open(where=WHERE) as subscriptions:

        async def check(asked: dict[str, list[Any]]) -> None:
            def fits(row: dict[str, Any]) -> bool:
                return all(has(row[name], wanted, is_text=name == "plan") for name, wanted in asked.items())

            expected = [table.id(number) for number, row in enumerate(ROWS) if fits(row)]
            chosen = subscriptions.where(asked)
            assert expected == [row.id for row in await chosen.page(None, 100)]
            assert expected == [row.id for row in await chosen.with_ids([table.id(n) for n in range(60)])]
            assert expected[-3:] == [row.id for row in await chosen.last(3)]
            assert len(expected) == await chosen.count()
            of_users = [row.id for user in (0, 1) for row in await chosen.of_user(table.id(user))]
            assert expected == sorted(of_users)
            users = [table.id(1)]
            assert [each for each in expected if int(each[1:]) % 2] == [
                row.id for row in await chosen.page(None, 100, users)
            ]

        @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
        @given(ASKED)
        def holds(asked: dict[str, list[Any]]) -> None:
            asyncio.run_coroutine_threadsafe(check(asked), loop).result()

        await asyncio.to_thread(holds)


async def test_all_rows_are_still_there_for_other_jobs(table: Table) -> None:
    """What one job chooses changes nothing for the next, which shares the connection."""
    async with table.open(where=WHERE) as subscriptions:
        await subscriptions.where({"plan": ["pro"]}).of_user(table.id(1))
        rows = await subscriptions.of_user(table.id(1))

    assert len(rows) == 30


async def test_gone_rows_of_a_choice_are_deleted(table: Table) -> None:
    """The port prunes what the choice has read."""
    async with table.open(where=WHERE) as subscriptions:
        chosen = await subscriptions.where({"plan": ["pro"]}).page(None, 100)
        pruned = await subscriptions.prune(chosen)

    assert pruned == 10
    assert table.count("\"plan\" = 'pro'") == 0


async def test_enums_uuids_and_dates(table_of: Callable[[str, str], Table]) -> None:
    """An enum takes its own words, a date only null."""
    table, team = table_of("postgres", "INTEGER"), uuid.UUID(int=7)
    table.sql(ENUM)
    table.create(', "mood" "Mood", "team" UUID, "mutedAt" TIMESTAMP')
    table.insert(1, columns=', "mood", "team"', values=f", 'GOOD', '{team}'")
    table.insert(2, columns=', "mutedAt"', values=", now()")

    async with table.open(where="mood,team,mutedAt") as subscriptions:

        async def chosen(**conditions: list[Any]) -> list[str]:
            return [row.id for row in await subscriptions.where(conditions).page(None, 10)]

        assert await chosen(mood=["GOOD"]) == ["1"]
        assert await chosen(mood=[None]) == ["2"]
        assert await chosen(team=[str(team)]) == ["1"]
        assert await chosen(mutedAt=[None]) == ["1"]
        for name, value in (("mood", "good"), ("team", "x"), ("team", 5), ("mutedAt", "2027-01-01")):
            with pytest.raises(ConditionRefusedError, match=name):
                await chosen(**{name: [value]})
