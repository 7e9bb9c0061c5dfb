"""How many requests may be in flight: as many as a push service handles."""

from __future__ import annotations

import resource

import pytest

from processors.push.allowance import FIRST, LATELY, MAX_IN_FLIGHT, Allowance, most_in_flight


def rounds(allowance: Allowance, count: int, seconds: float, now: float = 0.0) -> list[int]:
    """The size after each round, in which all in flight is answered after so many seconds."""
    sizes = []
    for number in range(1, count + 1):
        for _ in range(allowance.size):
            allowance.answered(seconds, now + number * seconds, all_used=True)
        sizes.append(allowance.size)
    return sizes


@pytest.mark.parametrize("seconds", [0.02, 0.1, 0.3])
def test_it_doubles_while_answers_are_quick(seconds: float) -> None:
    """However far away the service is, if answers do not become slower."""
    assert [10, 20, 40, 80, 100] == rounds(Allowance(100), 5, seconds)


def test_it_grows_only_if_it_is_used() -> None:
    """One device at a time says nothing about a hundred at once."""
    allowance = Allowance()
    for _ in range(1000):
        allowance.answered(0.1, 1.0, all_used=False)

    assert FIRST == allowance.size


def test_answers_that_become_slow_end_its_growth() -> None:
    """They wait in a queue somewhere, which would only become longer."""
    allowance = Allowance()
    rounds(allowance, 3, 0.1)

    assert [40] * 3 == rounds(allowance, 3, 0.3)


def test_a_push_service_that_has_become_slow_is_not_held_to_its_past() -> None:
    """Its quickest answer of long ago is forgotten."""
    allowance = Allowance()
    rounds(allowance, 3, 0.1)

    assert [40, 80] == [*rounds(allowance, 1, 0.3, 2.5 * LATELY), *rounds(allowance, 1, 0.3, 3.6 * LATELY)]


def test_a_refusal_halves_it_once_a_round() -> None:
    """All refusals of one round count once; after it, growth is by one a round."""
    allowance = Allowance()
    rounds(allowance, 4, 0.1)
    for _ in range(80):
        allowance.refused(begun=0.0, now=1.0)
    assert 40 == allowance.size

    assert 44 <= rounds(allowance, 5, 0.1)[-1] <= 45
    allowance.refused(begun=2.0, now=3.0)
    assert 22 == allowance.size


def test_one_request_is_always_allowed() -> None:
    """So that recovery is noticed; then growth begins anew."""
    allowance = Allowance()
    for now in range(10):
        allowance.refused(begun=now, now=now)
    assert 1 == allowance.size

    allowance.restart()
    assert [10, 20] == rounds(allowance, 2, 0.1)


@pytest.mark.parametrize(
    ("descriptors", "most"), [(256, 128), (1_048_576, MAX_IN_FLIGHT), (resource.RLIM_INFINITY, MAX_IN_FLIGHT)]
)
def test_file_descriptors_bound_it(monkeypatch: pytest.MonkeyPatch, descriptors: int, most: int) -> None:
    """A process has 256 on macOS, and the database, Redis and the children need some."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (descriptors, descriptors))

    assert most == most_in_flight()
