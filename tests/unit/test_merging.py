"""Places in merged lists, as they go through addresses."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from queue_lib.admin.merging import GREATEST, LONGEST_ID, Cursor
from queue_lib.admin.ports import Mark
from queue_lib.web.dashboard.queue import LONGEST_CURSOR

SCORES = st.floats(allow_nan=False)


@given(st.dictionaries(st.sampled_from(["bullmq0", "rq2"]), st.tuples(st.text(max_size=40), SCORES)))
def test_a_cursor_comes_back_as_it_went(marks: dict[str, tuple[str, float]]) -> None:
    """Also an endless score, which JSON does not have."""
    cursor = Cursor(50, {name: Mark(*mark) for name, mark in marks.items()})
    again = Cursor.read(cursor.text())
    assert (50, {name: mark.id for name, mark in cursor.marks.items()}) == (
        again.passed,
        {name: mark.id for name, mark in again.marks.items()},
    )
    for name, mark in cursor.marks.items():
        assert again.marks[name].score in {mark.score, math.copysign(math.inf, mark.score)}
        assert math.isinf(again.marks[name].score) is (abs(mark.score) >= GREATEST)


def test_an_id_that_fits_no_address_is_left_out() -> None:
    """And half an emoji is replaced."""
    cursor = Cursor.read(Cursor(1, {"a": Mark("x" * (LONGEST_ID + 1), 2.0), "b": Mark("\ud800")}).text())
    assert {"a": Mark("", 2.0), "b": Mark("?")} == cursor.marks


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "[]", "{}", "null", "[-1,{}]", "[1e99,{}]", "[0,[]]", "[" * 5000, "\ud800"),
        *('[0,{"a":1}]', '[0,{"a":[0]}]', '[0,{"a":[NaN,"1"]}]', '[0,{"a":["x","1"]}]', '[0,{"a":[1e999,"1"]}]'),
        f'[0,{{"a":[0,"{"x" * 1001}"]}}]',
    ],
)
def test_what_is_no_place_is_refused(text: str) -> None:
    """Anyone may write an address."""
    with pytest.raises(ValidationError):
        Cursor.read(text)


def test_a_place_fits_an_address() -> None:
    """With an id of the longest in each of the seven lists of active jobs."""
    marks = {f"rq{number}": Mark("\u4e16" * LONGEST_ID, 1795572306000.5) for number in range(7)}
    assert len(Cursor(10**6, marks).text()) <= LONGEST_CURSOR
