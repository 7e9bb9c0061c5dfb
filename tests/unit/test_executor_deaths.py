"""Which deaths of jobs are reported to the route's handler, and which are an alarm."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from queue_lib.broker.board import MemoryBoard
from queue_lib.errors import FaultError, PermanentError, SnoozeError, TransientError
from queue_lib.observe.events import Event, InternalFault
from queue_lib.processor import Registry
from queue_lib.runner.executor import Executor
from tests.support.bench import Bench, hanging, raising, returning
from tests.support.fakes import NotingLease, make_job

if TYPE_CHECKING:
    from queue_lib.job import Job
    from queue_lib.outcome import Failure


async def test_a_fault_of_our_own_is_dead_at_once_and_an_alarm() -> None:
    """Another attempt can't fix code; operators see it apart from jobs with bad input."""
    events: list[Event] = []
    bench = Bench(NotingLease(), raising(FaultError("box offset can't be negative")))
    bench.executor = Executor(bench.registry, bench, events.append, MemoryBoard())

    assert [("bury", "box offset can't be negative")] == await bench.run()
    [alarm] = [event for event in events if isinstance(event, InternalFault)]
    assert ("job_fault", "box offset can't be negative") == (alarm.word, alarm.failure.reason)


async def test_a_bad_upload_is_no_alarm() -> None:
    """An upload that a processor refuses is the job's fault."""
    events: list[Event] = []
    bench = Bench(NotingLease(), raising(PermanentError("the image is damaged")))
    bench.executor = Executor(bench.registry, bench, events.append, MemoryBoard())

    await bench.run()

    assert [] == [event for event in events if isinstance(event, InternalFault)]


class Mourner:
    """Records the dead jobs of its route; it raises `error` if there is one."""

    def __init__(self, error: Exception | None = None) -> None:
        self.told: list[tuple[str, Any, str]] = []
        self._error = error

    async def __call__(self, job: Job, failure: Failure, /) -> None:
        """See the port."""
        self.told.append((job.id, job.data, failure.reason))
        if self._error is not None:
            raise self._error


def minding(bench: Bench, mourner: Mourner, *events: list[Event]) -> Bench:
    """The bench, whose route has a handler of dead jobs."""
    route = bench.registry.find("greet", "work")
    assert route is not None
    observe = events[0].append if events else bench.observe
    bench.executor = Executor(Registry([dataclasses.replace(route, on_dead=mourner)]), bench, observe, MemoryBoard())
    return bench


@pytest.mark.parametrize(
    ("job", "error", "reason"),
    [
        ({}, PermanentError("no image"), "no image"),
        ({"attempt": 3}, TransientError("busy"), "busy"),
        ({"data": {"count": "x"}}, None, "bad payload for greet: userId: Field required; count: "),
        ({"refusal": "its worker died 3 times while running it"}, None, "its worker died 3 times while running it"),
    ],
)
async def test_the_routes_handler_gets_a_dead_job(job: dict[str, Any], error: Exception | None, reason: str) -> None:
    """However it died: by its processor, its last attempt, its payload, or a worker that was killed three times."""
    mourner = Mourner()
    bench = minding(Bench(NotingLease(make_job(**job)), raising(error) if error else hanging), mourner)

    await bench.run()

    [(job_id, data, told)] = mourner.told
    assert (bench.lease.job.id, bench.lease.job.data) == (job_id, data)
    assert told.startswith(reason)
    assert [("bury", told)] == bench.lease.calls


async def test_the_routes_handler_gets_no_living_job() -> None:
    """Neither one that is done, nor one that is tried again."""
    mourner = Mourner()

    await minding(Bench(NotingLease(), returning(None)), mourner).run()
    await minding(Bench(NotingLease(), raising(TransientError("busy"))), mourner).run()
    await minding(Bench(NotingLease(), raising(SnoozeError("later", 1.0))), mourner).run()

    assert [] == mourner.told


async def test_a_handler_that_fails_for_now_puts_the_job_off() -> None:
    """The job runs again later, and no dead letter is written; a job that was stopped does not run again."""
    away = Mourner(SnoozeError("the database is away", 15.0))
    bench = minding(Bench(NotingLease(), raising(PermanentError("no image"))), away)
    assert [("snooze", 15.0)] == await bench.run()
    assert [] == bench.order

    bench = minding(Bench(NotingLease(), raising(PermanentError("no image"))), away)
    bench.lease.stopped = "stopped by an operator"
    assert [("bury", "stopped by an operator")] == await bench.run()


async def test_a_handler_that_fails_for_good_is_an_alarm() -> None:
    """The job ends as it would have; operators see the error, without the values that a database repeats."""
    events: list[Event] = []
    bench = minding(Bench(NotingLease(), raising(PermanentError("no"))), Mourner(ValueError("(42, ada)")), events)

    assert [("bury", "no")] == await bench.run()
    [alarm] = [event for event in events if isinstance(event, InternalFault)]
    assert ("job_fault", "the handler of dead jobs failed (ValueError)") == (
        alarm.word,
        alarm.failure.reason,
    )
