"""When a message is sent again."""

from __future__ import annotations

import pytest

from processors.push.backoff import backoff, group_by_delay
from processors.push.delivery import Delivery, Kind

TRANSIENT = Delivery(Kind.TRANSIENT)


@pytest.mark.parametrize(("attempt", "least", "most"), [(1, 5, 10), (2, 20, 40), (3, 80, 160), (4, 320, 640)])
def test_backoff_grows_and_is_spread(attempt: int, least: float, most: float) -> None:
    """Each wait is four times the last; a random one from its upper half is used."""
    assert backoff(attempt, 0.0) == least
    assert backoff(attempt, 0.999999) == pytest.approx(most, rel=1e-3)


def test_all_that_named_no_time_share_one_delay() -> None:
    """They get one follow-up job, not one for each subscription."""
    ends = [("a", TRANSIENT), ("b", Delivery(Kind.THROTTLED)), ("c", Delivery(Kind.THROTTLED, "", 3.0))]

    assert list(group_by_delay(ends, 1, 0.0, 100)) == [(5.0, ["a", "b", "c"])]


def test_a_longer_pause_is_rounded_up_to_minutes() -> None:
    """Slightly different pauses of a push service make one group."""
    ends = [("a", Delivery(Kind.THROTTLED, "", 61.0)), ("b", Delivery(Kind.THROTTLED, "", 119.0)), ("c", TRANSIENT)]

    assert list(group_by_delay(ends, 1, 0.0, 100)) == [(120.0, ["a", "b"]), (5.0, ["c"])]


def test_groups_are_bounded_and_their_delays_differ() -> None:
    """A group is known by its due time."""
    groups = list(group_by_delay([(str(n), TRANSIENT) for n in range(5)], 1, 0.0, 2))

    assert [ids for _, ids in groups] == [["0", "1"], ["2", "3"], ["4"]]
    assert len({delay for delay, _ in groups}) == 3
