"""Gists of reasons: what makes dead letters of one cause one group."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queue_lib.admin.letter_groups import group_of, grouped
from queue_lib.admin.reasons import LONGEST, gist
from queue_lib.broker.dead_letters import DeadLetterView
from queue_lib.job import Wire


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("S3 answered 503", "S3 answered 503"),
        ("S3 answered 404.", "S3 answered 404."),
        ("nothing is stored under uploads/2026/holiday.jpg", "nothing is stored under …"),
        ("image/png is not video/mp4", "image/png is not video/mp4"),
        ("timeout after 812 ms (attempt 3)", "timeout after # ms (attempt #)"),
        ("took 12.5s, more than 10s", "took #, more than #"),
        ("the job 3fa85f64-5717-4562-b3fc-2c963f66afa6 is gone", "the job … is gone"),
        ("connect ECONNREFUSED 127.0.0.1:6379", "connect ECONNREFUSED #"),
        ("https://fcm.googleapis.com/fcm/send/abc:1 answered 410", "https://fcm.googleapis.com/… answered 410"),
        ("no such user: ada.l@example.com", "no such user: …"),
        ("""can't read "a b" or 'c d' or `e`""", "can't read … or … or …"),
        (
            "bad payload for process-image: fileId: Field required",
            "bad payload for process-image: fileId: Field required",
        ),
        ("two\n  lines", "two lines"),
        ("", ""),
    ],
)
def test_a_gist_has_what_is_the_same(reason: str, told: str) -> None:
    """Statuses, names and types stay; numbers, ids, quoted texts, paths and addresses do not."""
    assert told == gist(reason)


def test_other_words_are_another_group() -> None:
    """And other numbers are not."""
    assert group_of("row 17 is gone") == group_of("row 190,000 is gone")
    assert group_of("S3 answered 503") != group_of("S3 answered 404")


@given(st.text(max_size=2 * LONGEST))
def test_a_gist_is_one_short_line(reason: str) -> None:
    """Whatever a producer wrote."""
    told = gist(reason)
    assert len(told) <= 2 * LONGEST
    assert not {"\n", "\r", "\t"} & set(told)
    assert len(group_of(reason)) == 18


def letter(number: int, reason: str, name: str = "process-image", wire: Wire = Wire.BULLMQ) -> DeadLetterView:
    """A dead letter."""
    return DeadLetterView(
        id=str(number), name=name, queue="work", wire=wire, reason=reason, failed_at=number, letter_id=f"x-{number}"
    )


def test_the_largest_group_comes_first() -> None:
    """Each counts its letters by name, queue and wire; of equal ones the one that failed last is first."""
    letters = [
        letter(1, "old"),
        letter(2, "row 1 is gone"),
        letter(4, "row 2 is gone", "other", Wire.RQ),
        letter(3, "new"),
    ]
    gone, new, old = grouped(letters)

    assert ("row # is gone", 2, 2, 4) == (gone.gist, gone.count, gone.oldest, gone.newest)
    assert {"process-image": 1, "other": 1} == gone.names
    assert {Wire.BULLMQ: 1, Wire.RQ: 1} == gone.wires
    assert ["new", "old"] == [new.gist, old.gist]
    assert [group_of(each.reason) for each in letters[:2]] == [old.id, gone.id]
