"""Actions on many jobs or dead letters, and which of them a filter admits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from queue_lib.admin.bulk import Bulk, for_each
from queue_lib.admin.filters import JobFilter
from queue_lib.admin.ports import JobView
from queue_lib.job import State, Wire

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NOW = 1_000_000.0


def failed(**changes: Any) -> JobView:
    """A failed job."""
    facts: dict[str, Any] = {"id": "7", "name": "greet", "queue": "work", "wire": Wire.RQ, "reason": "The door is SHUT"}
    return JobView(state=State.FAILED, data={"to": "Zoë"}, attempts_made=3, **facts | changes)


async def test_each_item_has_its_outcome_in_order() -> None:
    """Items may come from a list or from an asynchronous iterator."""

    async def numbers() -> AsyncIterator[int]:
        for number in (1, 2, 3):
            yield number

    async def doubled(number: int) -> int:
        return 2 * number

    assert Bulk([2, 4, 6], more=False) == await for_each([1, 2, 3], doubled)
    assert Bulk([2, 4, 6], more=False) == await for_each(numbers(), doubled)


async def test_the_time_budget_ends_it_between_two_items() -> None:
    """An item that has begun is finished; the answer says that others are left."""
    now = 0.0

    async def slow(item: str) -> str:
        nonlocal now
        now += 4.0
        return item

    assert Bulk(["a", "b", "c"], more=True) == await for_each("abcd", slow, 10.0, clock=lambda: now)


@pytest.mark.parametrize(
    ("conditions", "admitted"),
    [
        ({}, True),
        ({"queue": "work", "wire": Wire.RQ, "name": "greet"}, True),
        *(({"queue": "other"}, False), ({"wire": Wire.BULLMQ}, False), ({"name": "call"}, False)),
        *(({"reason": "door"}, True), ({"reason": "shut"}, True), ({"reason": "zoë"}, False)),
        *(({"words": "ZOË"}, True), ({"words": "greet"}, True), ({"words": "shut"}, True), ({"words": "no"}, False)),
        *(({"newer": 60.0}, True), ({"newer": 59.0}, False), ({"older": 60.0}, True), ({"older": 61.0}, False)),
        *(({"before": NOW - 60}, True), ({"before": NOW - 61}, False)),
        ({"reason": "door", "name": "call"}, False),
    ],
)
def test_a_filter_admits_what_meets_all_its_conditions(conditions: dict[str, Any], *, admitted: bool) -> None:
    """The job failed 60 seconds ago."""
    assert admitted == JobFilter(**conditions).admits(failed(), NOW - 60, NOW)


def test_a_job_whose_time_is_not_known() -> None:
    """For an age it counts as just failed, and as failed before any time."""
    conditions: list[dict[str, float]] = [{"newer": 0.0}, {"older": 1.0}, {"before": 1.0}]
    assert [True, False, True] == [JobFilter(**each).admits(failed(), None, NOW) for each in conditions]  # type: ignore[arg-type]
