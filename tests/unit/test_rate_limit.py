"""How often a client may do something in a minute."""

from __future__ import annotations

from queue_lib.web.rate_limit import MOST_NAMES, WINDOW, FixedWindow


def test_counts_are_by_name_and_begin_anew_with_each_window() -> None:
    """Until then the answer is how many whole seconds are left."""
    now = 100.0
    limit = FixedWindow(3, clock=lambda: now)
    assert 0 == limit.wait("a", 3)
    limit.count("a", 2)
    now += 0.5
    assert [0, 60, 0] == [limit.wait("a"), limit.wait("a", 2), limit.wait("b", 3)]
    now += WINDOW - 0.5
    assert 0 == limit.wait("a", 3)


def test_a_flood_of_names_shares_one_count() -> None:
    """So that it fills no memory; a name that was counted before keeps its own count."""
    limit = FixedWindow(2, clock=lambda: 0.0)
    for number in range(MOST_NAMES):
        limit.count(str(number))
    limit.count("one more", 2)
    assert [61, 0] == [limit.wait("another"), limit.wait("7")]
