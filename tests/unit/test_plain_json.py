"""Results and letters are always JSON."""

from __future__ import annotations

import datetime as dt
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queue_lib.plain_json import MAX_RESULT, to_json
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
    """What is JSON already is not changed."""
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


def test_what_is_no_json_is_noted() -> None:
    """A value in a circle is cut, one that is too large is replaced by a note, and nothing is raised."""
    circle: list[Any] = []
    circle.append(circle)
    assert ["..."] == to_json(circle)
    assert "unserializable" in to_json(["x" * MAX_RESULT])
    assert "unserializable" in to_json("x" * MAX_RESULT)


@given(ANYTHING)
def test_anything_is_json(value: Any) -> None:
    """No return value of a processor can make a finished job fail."""
    json.dumps(to_json(value), allow_nan=False)
