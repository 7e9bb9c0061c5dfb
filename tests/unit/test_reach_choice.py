"""Which of a user's preferences counts for a message."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.reach.choice import MUTED, Channel, Choice, Occasion, Quiet, choose
from storage.ports import Preference

NOW = 1_800_000_000.0  # 08:00 in UTC, 09:00 in Berlin
NOON = NOW + 4 * 3600
MENTION = Occasion(Channel.PUSH, "mention")
MORNING = {"quiet_from": "06:00", "quiet_to": "12:00"}


def row(channel: str = "", type_: str = "", **fields: Any) -> Preference:
    """A row for that channel and type."""
    return Preference(channel, type_, **fields)


def test_without_rows_everything_comes() -> None:
    """Nobody has said anything."""
    assert choose([], MENTION, NOW) == Choice()


LEVELS = [("push", "mention"), ("push", "*"), ("*", "mention"), ("", "")]


@given(
    st.lists(st.sampled_from([*LEVELS, ("email", ""), ("push", "like"), ("sms", "mention")]), unique=True), st.data()
)
def test_the_most_specific_row_wins(places: list[tuple[str, str]], data: st.DataObject) -> None:
    """Channel and type, channel, type, all; rows for others do not count, and one that says nothing does not."""
    said = {place: data.draw(st.sampled_from([True, False, None])) for place in places}
    rows = [row(*place, enabled=enabled) for place, enabled in said.items()]

    first = next((said[level] for level in LEVELS if said.get(level) is not None), True)
    assert choose(rows, MENTION, NOW) == (Choice() if first else Choice(MUTED))


@pytest.mark.parametrize("name", ["in-app", "IN_APP", "inApp", "In_App"])
def test_a_channel_in_other_letters(name: str) -> None:
    """Prisma's enums can't have a hyphen."""
    assert choose([row(name, enabled=False)], Occasion(Channel.IN_APP), NOW).until == MUTED
    assert choose([row(name, enabled=False)], MENTION, NOW).until is None


def test_a_message_without_a_type_has_no_types_rows() -> None:
    """Only what is for all types counts."""
    rows = [row(type_="mention", enabled=False), row(type_="", enabled=True)]

    assert choose(rows, Occasion(Channel.PUSH), NOW) == Choice()


def test_quiet_hours_and_the_switch_are_looked_up_apart() -> None:
    """A row that switches mentions on keeps the quiet hours of the row for all messages, and that one's zone."""
    rows = [row(enabled=False, time_zone="Europe/Berlin", **MORNING), row("push", "mention", enabled=True)]

    assert choose(rows, MENTION, NOW) == Choice(NOON - 3600)


def test_a_row_without_a_zone_takes_that_of_another() -> None:
    """The zone is the user's."""
    rows = [row("push", **MORNING), row(time_zone="Europe/Berlin")]

    assert choose(rows, MENTION, NOW) == Choice(NOON - 3600)


def test_a_row_can_take_a_type_out_of_quiet_hours() -> None:
    """Its quiet hours begin when they end."""
    rows = [row(**MORNING), row(type_="mention", quiet_from="00:00", quiet_to="00:00")]

    assert choose(rows, MENTION, NOW) == Choice()
    assert choose(rows, Occasion(Channel.PUSH, "like"), NOW) == Choice(NOON)


def test_of_two_rows_for_the_same_the_one_that_holds_back_more_wins() -> None:
    """NULLs are no duplicates for Postgres, so an app may have such rows."""
    assert choose([row(enabled=True), row(enabled=False)], MENTION, NOW) == Choice(MUTED)
    longer = row(quiet_from="06:00", quiet_to="13:00")
    assert choose([row(**MORNING), longer, row(**MORNING)], MENTION, NOW) == Choice(NOON + 3600)


def test_a_message_may_be_dropped_or_pass_in_quiet_hours() -> None:
    """As it says; what is switched off does not come in any case."""
    assert choose([row(**MORNING)], Occasion(Channel.PUSH, quiet=Quiet.DROP), NOW) == Choice(MUTED)
    assert choose([row(**MORNING)], Occasion(Channel.PUSH, quiet=Quiet.DROP), NOON) == Choice()
    urgent = Occasion(Channel.PUSH, passes=True)
    assert choose([row(**MORNING)], urgent, NOW) == Choice()
    assert choose([row(enabled=False, **MORNING)], urgent, NOW) == Choice(MUTED)


@pytest.mark.parametrize(
    ("fields", "until", "unreadable"),
    [
        ({"time_zone": "Mars/Base", **MORNING}, NOON, 1),
        ({"quiet_from": "6am", "quiet_to": "12:00"}, None, 1),
        ({"quiet_from": "6am", "quiet_to": "noon", "time_zone": "x"}, None, 3),
        ({"quiet_from": "06:00"}, None, 0),
    ],
)
def test_what_can_not_be_read_is_left_out_and_counted(fields: Any, until: float | None, unreadable: int) -> None:
    """An unknown zone is UTC; a missing end is none."""
    assert choose([row(**fields)], MENTION, NOW) == Choice(until, unreadable)


@given(
    st.lists(st.builds(Preference, *[st.text(max_size=9)] * 2, st.none() | st.booleans(), *[st.text(max_size=9)] * 3))
)
def test_no_row_is_an_error(rows: list[Preference]) -> None:
    """Users write into them."""
    choose(rows, MENTION, NOW)
