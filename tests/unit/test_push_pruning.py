"""Pruning over fakes: the rows that a job deletes, and a database that fails."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from structlog.testing import capture_logs

from processors.push.delivery import UNASKED, Kind
from processors.push.processor import PushNotification
from queue_lib.errors import PermanentError, SnoozeError
from storage.errors import StorageAwayError
from tests.support.fakes import FakeContext
from tests.support.push_fakes import FakeSender, FakeSubscriptions, make_dependencies
from tests.support.push_run import job, run


async def test_a_row_that_was_replaced_meanwhile_is_not_counted_as_pruned() -> None:
    """A device that subscribed anew during the send keeps its row, and counts as failed."""
    rows = FakeSubscriptions(2)
    rows.replaced = {"000001"}

    assert await run(rows, FakeSender({0: Kind.GONE, 1: Kind.GONE})) == (0, 1, 1, 0, 0, 2)


async def test_a_database_that_fails_after_sending_does_not_repeat_the_job() -> None:
    """Rows that could not be deleted wait for the next job: a retry would push to all devices again."""
    rows = FakeSubscriptions(2)
    rows.fault = ConnectionError("away")

    with capture_logs() as logs:
        counts = await run(rows, FakeSender({1: Kind.GONE}))

    assert counts == (1, 1, 0, 0, 0, 2)
    assert [entry["event"] for entry in logs] == ["push_gone", "prune_failed"]


async def test_a_database_that_is_away_puts_the_job_off() -> None:
    """Nothing was sent: the job comes again, and no attempt is counted."""
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


@pytest.mark.parametrize("proven", [False, True])
@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.GONE])
async def test_only_rows_that_are_gone_are_deleted(kind: Kind, proven: bool) -> None:
    """However else a message ends, and whether or not the push service is known to accept the server's key."""
    rows = FakeSubscriptions(3)
    with contextlib.suppress(PermanentError):  # all refuse the server
        await run(rows, FakeSender(dict.fromkeys(range(3), kind), proven=proven))

    assert (3, []) == (len(rows.rows), rows.prunes)


async def test_rows_that_can_not_be_used_are_counted_by_cause() -> None:
    """They have failed; the result, one log line and the metrics say why."""
    ends = [Kind.UNREADABLE_KEYS, Kind.UNREADABLE_KEYS, Kind.REFUSED_ENDPOINT, Kind.KEY_MISMATCH, Kind.SENT]
    context = FakeContext()
    with capture_logs() as logs:
        result = await PushNotification(make_dependencies(FakeSubscriptions(5), FakeSender(dict(enumerate(ends)))))(
            job(), context
        )

    causes = {"unreadableKeys": 2, "refusedEndpoint": 1, "keyMismatch": 1}
    assert (1, 4, 0) == (result.sent, result.failed, result.pruned)
    assert {"https://push.test": {"sent": 1, **causes}} == result.origins
    assert [("push_deliveries", result.origins)] == context.counts
    [alarm] = [entry for entry in logs if entry["event"] == "push_unusable"]
    assert {"log_level": "error", "of": 5, **causes}.items() <= alarm.items()


@pytest.mark.parametrize("kind", sorted(UNASKED))
async def test_rows_that_were_not_tried_do_not_count_for_their_push_service(kind: Kind) -> None:
    """A server refused for all rows that were tried is refused, and a failing service rests all the same."""
    with pytest.raises(PermanentError, match=r"refuse this server.*\(https://push.test\)"):
        await run(3, FakeSender({0: kind, 1: Kind.CONFIGURATION, 2: Kind.CONFIGURATION}))

    sender = FakeSender({n: kind if n % 10 == 0 else Kind.TRANSIENT for n in range(500)})
    await run(500, sender)
    assert len(sender.tried) < 100


async def test_a_user_whose_rows_are_all_unusable() -> None:
    """The job is done, and says so; the server's keys are not at fault."""
    assert (0, 2, 0, 0, 0, 2) == await run(2, FakeSender({0: Kind.UNREADABLE_KEYS, 1: Kind.REFUSED_ENDPOINT}))
