"""The retry decision."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queue_lib.errors import BrokerRefusedError, BrokerUnavailableError, PermanentError, SnoozeError, TransientError
from queue_lib.job import Backoff
from queue_lib.outcome import Dead, Failure, Retry, Snooze, reason_of
from queue_lib.retry import OUTAGE_PAUSE, decide
from tests.support.fakes import make_job


@pytest.mark.parametrize("error", [TransientError("busy"), ValueError("busy"), TimeoutError("busy")])
def test_an_error_is_retried_with_backoff(error: Exception) -> None:
    """A failed attempt is followed by another after the backoff, whatever raised."""
    outcome = decide(make_job(attempt=2), error)
    assert isinstance(outcome, Retry)
    assert (4.0, "busy") == (outcome.delay, outcome.failure.reason)


@pytest.mark.parametrize(("at_least", "delay"), [(60.0, 60.0), (1.0, 4.0)], ids=["longer", "shorter"])
def test_an_error_may_want_a_longer_wait_than_the_backoff(at_least: float, delay: float) -> None:
    """Never a shorter one."""
    outcome = decide(make_job(attempt=2), TransientError("come back later", at_least))
    assert isinstance(outcome, Retry)
    assert delay == outcome.delay


def test_the_last_attempt_is_final() -> None:
    """When the last attempt fails the job is dead."""
    outcome = decide(make_job(attempt=3), TransientError("busy"))
    assert isinstance(outcome, Dead)
    assert "busy" == outcome.failure.reason


def test_a_permanent_error_is_final_at_once() -> None:
    """It is not tried again."""
    assert isinstance(decide(make_job(attempt=1), PermanentError("no such file")), Dead)


def test_a_snooze_is_no_failure() -> None:
    """A job that asks for a pause gets it, even in its last attempt."""
    assert Snooze(30.0, "slow down") == decide(make_job(attempt=3), SnoozeError("slow down", 30.0))


def test_an_outage_of_the_broker_is_no_failure() -> None:
    """A job that could not write its notes is put off; one whose note is refused has failed."""
    outcome = decide(make_job(attempt=3), BrokerUnavailableError("ConnectionError"))
    assert Snooze(OUTAGE_PAUSE, "Redis can't be reached (ConnectionError)") == outcome
    assert isinstance(decide(make_job(attempt=3), BrokerRefusedError("WRONGTYPE")), Dead)


@given(
    attempt=st.integers(1, 50),
    attempts=st.integers(1, 50),
    delays=st.lists(st.floats(0, 1e6), min_size=1, max_size=5),
    exponential=st.booleans(),
    jitter=st.floats(0, 1),
    chance=st.floats(0, 1, exclude_max=True),
)
def test_every_failure_ends_after_its_attempts(
    attempt: int, attempts: int, delays: list[float], exponential: bool, jitter: float, chance: float
) -> None:
    """A job is retried exactly while it has attempts left, and never earlier than now."""
    job = make_job(attempt=attempt, max_attempts=attempts, backoff=Backoff(tuple(delays), exponential, jitter))
    outcome = decide(job, TransientError("busy"), chance)
    assert isinstance(outcome, Retry) == (attempt < attempts)
    assert not isinstance(outcome, Retry) or outcome.delay >= 0


@pytest.mark.parametrize(
    ("backoff", "expected"),
    [
        (Backoff((5.0,)), [5, 5, 5, 5]),
        (Backoff((2.0,), exponential=True), [2, 4, 8, 16]),
        (Backoff((1.0, 3.0)), [1, 3, 3, 3]),
        (Backoff((10.0,), jitter=0.5), [7.5, 7.5, 7.5, 7.5]),
    ],
)
def test_backoff(backoff: Backoff, expected: list[float]) -> None:
    """Fixed, exponential, listed and jittered delays, in seconds, after attempts 1 to 4."""
    assert expected == [backoff.delay(attempt, 0.5) for attempt in (1, 2, 3, 4)]


def test_an_eternal_exponent_does_not_overflow() -> None:
    """A producer's absurd number of attempts crashes nothing."""
    assert Backoff((1.0,), exponential=True).delay(10**9, 0) == 2.0**30


def test_a_failure_has_a_reason_and_a_stack() -> None:
    """The reason is the exception's message, or its class if it has none, of bounded length."""
    try:
        raise KeyError
    except KeyError as error:
        failure = Failure.of(error)
    assert "KeyError" == failure.reason
    assert "test_a_failure_has_a_reason" in failure.stack
    assert 2000 == len(Failure.of(ValueError("x" * 9999)).reason)
    assert "a?b?c" == Failure.of(ValueError("a\ud800b\0c")).reason


@given(st.text(), st.sampled_from([ValueError, PermanentError, SnoozeError]))
def test_a_reason_is_one_line(message: str, kind: type[Exception]) -> None:
    """Whatever the exception and its cause say: there is a reason, without a line break."""
    error = SnoozeError(message, 1.0) if kind is SnoozeError else kind(message)
    outcome = decide(make_job(), error)
    reason = outcome.reason if isinstance(outcome, Snooze) else outcome.failure.reason

    assert [reason] == reason.splitlines()


def test_a_reason_of_many_lines() -> None:
    """The content of all lines is kept, in order."""
    assert "(psycopg.DataError) too large [SQL: SELECT 1]" == reason_of(
        ValueError("(psycopg.DataError) too large\n\n  [SQL: SELECT 1]\r\n")
    )


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (KeyError("month"), "KeyError: 'month'"),
        (SystemExit(2), "SystemExit: 2"),
        (
            ExceptionGroup("2 of 3 failed", [ValueError("a"), KeyError("b")]),
            "2 of 3 failed (2 sub-exceptions): a; KeyError: 'b'",
        ),
    ],
)
def test_a_reason_says_what_happened(error: BaseException, reason: str) -> None:
    """A key or a status says nothing without the name of its exception, and a group nothing without its exceptions."""
    assert reason == reason_of(error)


def test_an_exception_that_can_not_be_shown() -> None:
    """An exception whose text can't be made is shown by its class."""

    class OddError(Exception):
        def __str__(self) -> str:
            return 5  # type: ignore[return-value]  # noqa: PLE0307

    class WorseError(Exception):
        def __str__(self) -> str:
            raise LookupError

    assert "OddError" == Failure.of(OddError()).reason
    assert "WorseError" == Failure.of(WorseError()).reason
