"""Results and dead letters are always JSON."""

from __future__ import annotations

import datetime as dt
import json
import math
from typing import Any

import pydantic_core
import pytest
from hypothesis import given
from hypothesis import strategies as st

from queue_lib.plain_json import MAX_RESULT, is_note, kept, readable, to_json, unread
from tests.support.fakes import Greeting

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.datetimes()
    | st.complex_numbers(),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner)
        | st.dictionaries(st.text() | st.integers(), inner)
        | st.frozensets(st.integers())
    ),
)


def test_a_model_becomes_camel_case() -> None:
    """The app sees camelCase keys."""
    assert {"userId": "u1", "count": 3} == to_json(Greeting(user_id="u1", count=3))
    assert {"of": [{"userId": "u1", "count": 1}]} == to_json({"of": [Greeting(user_id="u1")]})


def test_json_stays_as_it_is() -> None:
    """Valid JSON is not changed."""
    value = {"sent": 1, "names": ["ä", None, True, 1.5]}
    assert value == to_json(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"x": math.nan}, {"x": None}),
        (dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC), "2026-01-02T03:04:05Z"),
        (
            {
                1,
            },
            [1],
        ),
    ],
)
def test_near_json_is_made_json(value: Any, expected: Any) -> None:
    """Dates, sets and NaN get the form that JSON has for them."""
    assert expected == to_json(value)


def test_values_that_are_no_json_become_notes() -> None:
    """A cycle is cut, a value that is too large is replaced by a note, and nothing is raised."""
    circle: list[Any] = []
    circle.append(circle)
    assert ["..."] == to_json(circle)
    assert "unserializable" in to_json(["x" * MAX_RESULT])
    assert "unserializable" in to_json("x" * MAX_RESULT)


@given(ANYTHING)
def test_anything_is_json(value: Any) -> None:
    """No return value of a processor can make a finished job fail."""
    json.dumps(to_json(value), allow_nan=False)


ODD = [
    ("\ud800", "\ufffd"),
    ("a\udc00b", "a\ufffdb"),
    ("\ud83d\ude00", "\N{GRINNING FACE}"),
    ({"\ud800": 1}, {"\ufffd": 1}),
    (math.inf, None),
    ([math.nan, -math.inf, 1.5], [None, None, 1.5]),
    ("NaN and Infinity", "NaN and Infinity"),
    (10**400, 10**400),
    ("\x00\x1b", "\x00\x1b"),
    ("k" * 10_000, "k" * 10_000),
    ({"": {"\N{GREEK SMALL LETTER ALPHA}": []}}, {"": {"\N{GREEK SMALL LETTER ALPHA}": []}}),
]


def nested(levels: int) -> list[Any]:
    """Lists in lists."""
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


def strict(value: Any) -> str:
    """The value as the strictest reader takes it. Raises ValueError for what it would refuse."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    text.encode()
    pydantic_core.from_json(text)
    return text


@pytest.mark.parametrize(("value", "expected"), ODD)
def test_odd_json_is_shown(value: Any, expected: Any) -> None:
    """In a form that every reader takes; two halves of an emoji become one."""
    assert expected == readable(value)
    assert [expected] == readable([value])


@pytest.mark.parametrize("levels", [100, 101, 300, 900])
def test_deep_json_is_shown_in_part(levels: int) -> None:
    """A hundred levels, and a text that says so in place of the rest."""
    shown = strict(readable(nested(levels)))
    assert 100 == shown.count("[")
    assert ("nested deeper than 100 levels" in shown) == (levels > 100)


@pytest.mark.parametrize("value", [[{}] * 1000, [[[]]] * 1000, {str(n): [n] for n in range(1000)}])
def test_wide_json_is_shown_without_a_copy(value: Any) -> None:
    """Many brackets are not many levels; to copy the payload of 64 KiB takes tens of milliseconds."""
    assert value is readable(value)


@pytest.mark.parametrize("value", [value for value, _ in ODD])
def test_odd_json_is_kept(value: Any) -> None:
    """A payload that is to be enqueued again keeps its lone surrogates; only Node's missing numbers become null."""
    written = json.dumps(kept(value), allow_nan=False)
    expected = json.loads(json.dumps(value), parse_constant=lambda _: None)
    assert expected == json.loads(written)


@pytest.mark.parametrize(("levels", "is_whole"), [(300, True), (500, True), (501, False), (990, False)])
def test_deep_json_is_kept(levels: int, is_whole: bool) -> None:
    """Five hundred levels; deeper levels become a note, because settling the job must not fail."""
    value = nested(levels)
    assert is_whole == (kept(value) == value)
    assert is_whole != is_note(kept(value))
    json.dumps(kept(value), allow_nan=False)


def test_unreadable_json_is_shown_as_text() -> None:
    """Only its beginning, as a note that is never enqueued again."""
    assert (
        {"unserializable": "no JSON", "raw": "a\ufffd"} == unread("no JSON", b"a\xff") == unread("no JSON", "a\ud83d")
    )
    assert f"{'x' * 2000}..." == unread("no JSON", "x" * 5000)["raw"]
    assert is_note(unread("no JSON", ""))
    assert not is_note({"raw": "mine"})


def test_large_json_is_a_note() -> None:
    """It says how large, and no more."""
    assert {"unserializable": "too large for a list: 12 characters"} == readable("x" * 10, 11)
    assert is_note(kept("x" * 10, 11))
    assert is_note(kept("\ud800" * 4, 11))
    assert "x" * 9 == kept("x" * 9, 11) == readable("x" * 9, 11)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(categories=None)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(categories=None)), inner),
)


@given(JSON_VALUES)
def test_any_json_can_be_shown_and_kept(value: Any) -> None:
    """For the strictest reader; a payload is enqueued again unchanged, except for numbers that are none."""
    strict(readable(value))
    strict(to_json(value))
    again = json.dumps(kept(value), allow_nan=False)
    assert json.loads(json.dumps(value), parse_constant=lambda _: None) == json.loads(again)
