"""Pruning over fakes: which rows a job deletes, and a database that fails it."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from processors.push.delivery import Kind
from queue_lib.errors import SnoozeError
from storage.errors import StorageAwayError
from tests.support.push_fakes import FakeSender, FakeSubscriptions
from tests.support.push_run import run


async def test_a_row_that_was_replaced_meanwhile_is_not_counted_as_pruned() -> None:
    """A device that subscribed anew while it was being sent to keeps its row, and counts as failed."""
    rows = FakeSubscriptions(2)
    rows.replaced = {"000001"}

    assert await run(rows, FakeSender({0: Kind.GONE, 1: Kind.GONE})) == (0, 1, 1, 0, 0, 2)


async def test_a_database_that_fails_after_sending_does_not_repeat_the_job() -> None:
    """Rows that could not be deleted wait for the next job: a retry would send to all devices again."""
    rows = FakeSubscriptions(2)
    rows.fault = ConnectionError("away")

    with capture_logs() as logs:
        counts = await run(rows, FakeSender({1: Kind.GONE}))

    assert counts == (1, 1, 0, 0, 0, 2)
    assert [entry["event"] for entry in logs] == ["push_gone", "prune_failed"]


async def test_a_database_that_is_away_puts_the_job_off() -> None:
    """Nothing was attempted: the job comes again, and no attempt is counted."""
    rows = FakeSubscriptions(1)

    async def away(_user: str) -> Any:
        raise StorageAwayError("the database does not answer")  # noqa: EM101, TRY003

    rows.of_user = away  # type: ignore[method-assign, assignment]
    with pytest.raises(SnoozeError):
        await run(rows, FakeSender())


@pytest.mark.parametrize(("gone", "alarms"), [(15, 0), (16, 1)])
async def test_an_alarm_is_logged_when_many_are_gone(gone: int, alarms: int) -> None:
    """More than 30 % of 50 may be a push service's fault; one line says so."""
    with capture_logs() as logs:
        await run(50, FakeSender(dict.fromkeys(range(gone), Kind.GONE)))

    assert sum(entry["event"] == "push_many_gone" for entry in logs) == alarms


async def test_a_key_mismatch_is_pruned_only_where_the_key_is_known_to_be_good() -> None:
    """Else the server's own key may be the wrong one, and every row would go."""
    with capture_logs() as logs:
        kept = await run(3, FakeSender({0: Kind.KEY_MISMATCH, 1: Kind.KEY_MISMATCH}))
        pruned = await run(3, FakeSender({0: Kind.KEY_MISMATCH}, proven=True))

    assert (kept, pruned) == ((1, 2, 0, 0, 0, 3), (2, 0, 1, 0, 0, 3))
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["push_key_mismatch"]
