"""The reasons that scripts list: the groups of the dashboard, however many jobs there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import typer

from queue_lib.admin.letter_groups import group_of, grouped
from queue_lib.admin.ports import JobView
from queue_lib.job import State, Wire
from scripts.by_reason import group_id, groups_of, letter_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from queue_lib.broker.dead_letters import DeadLetterView

REASONS = ("S3 answered 503", "row 7 of uploads/7.jpg is gone", None)


def jobs() -> list[JobView]:
    """Failed jobs of both wires, with three reasons; the third of them failed nobody knows when."""
    return [
        JobView(
            id=str(number),
            name=f"job-{number % 2}",
            queue="files",
            wire=Wire.RQ if number % 5 else Wire.BULLMQ,
            state=State.FAILED,
            data={"secret": number},
            attempts_made=3,
            finished_at=1000.0 + number * 7 % 11 if number % 7 else None,
            reason=REASONS[(number % 10 > 1) + (number % 10 > 4)],
        )
        for number in range(40)
    ]


async def each(found: list[JobView] | list[DeadLetterView]) -> AsyncIterator[JobView | DeadLetterView]:
    """One after the other."""
    for one in found:
        yield one


async def test_they_are_those_of_the_dashboard() -> None:
    """Of failed jobs as of their dead letters."""
    letters = [letter_of(job) for job in jobs()]

    assert grouped(letters) == await groups_of(each(jobs())) == await groups_of(each(letters))
    assert [20, 12, 8] == [group.count for group in grouped(letters)]


async def test_nothing_has_no_reason() -> None:
    """No group for no job."""
    assert [] == await groups_of(each([]))


def test_a_group_is_named_by_its_id() -> None:
    """Words of a reason are refused, with what to do."""
    assert group_of("S3 answered 503") == group_id(group_of("S3 answered 503"))
    with pytest.raises(typer.BadParameter, match="words of a reason are for --text"):
        group_id("S3 answered 503")
