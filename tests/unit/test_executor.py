"""One claimed job to one recorded outcome, without a loop or a server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from queue_lib.addition import Addition
from queue_lib.errors import (
    BrokerRefusedError,
    BrokerUnavailableError,
    LeaseLostError,
    PermanentError,
    SnoozeError,
    TransientError,
)
from queue_lib.observe.events import JobEnded
from queue_lib.outcome import Dead, Done, Lost, Released
from queue_lib.retry import OUTAGE_PAUSE
from queue_lib.runner import context as context_module
from queue_lib.runner import executor as executor_module
from tests.support.bench import Bench, hanging, raising, returning
from tests.support.fakes import Greeting, NotingLease, endings, make_job

if TYPE_CHECKING:
    from queue_lib.processor import Context


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor_module, "RECORD_PAUSES", (0.0, 0.0, 0.0))
    monkeypatch.setattr(context_module, "PAUSES", (0.0, 0.0, 0.0))


async def test_done() -> None:
    """What the processor returns is recorded as the job's result."""
    bench = Bench(NotingLease(), returning(Greeting(user_id="u2")))
    assert [("done", {"userId": "u2", "count": 1})] == await bench.run()
    assert [Done] == endings(bench.events)


async def test_the_processor_gets_the_validated_payload_and_its_context() -> None:
    """A processor sees a model, its job, and how much time it has."""
    seen: list[Any] = []

    async def process(payload: Greeting, context: Context, /) -> None:
        seen.extend([payload, context.job.id, context.remaining()])

    await Bench(NotingLease(make_job(data={"userId": "u1", "count": 2, "new": 1})), process).run()
    payload, job_id, remaining = seen
    assert (Greeting(user_id="u1", count=2), "1") == (payload, job_id)
    assert 59 < remaining <= 60


async def test_a_failure_is_retried() -> None:
    """A failed attempt is recorded with its delay and its reason."""
    assert [("retry", 2.0, "busy")] == await Bench(NotingLease(), raising(TransientError("busy"))).run()


async def test_a_snooze() -> None:
    """A snoozed job is put off for as long as it asked."""
    assert [("snooze", 9.0)] == await Bench(NotingLease(), raising(SnoozeError("later", 9.0))).run()


async def test_the_dead_letter_is_written_before_the_job_is_settled() -> None:
    """A crash in between loses nothing."""
    bench = Bench(NotingLease(), raising(PermanentError("no such file")))
    assert [("bury", "no such file")] == await bench.run()
    assert ["letter after 0 calls", "no such file"] == bench.order


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": "os.system"}, "unknown job name 'os.system' in queue work; it takes greet"),
        ({"queue": "other"}, "unknown job name 'greet' in queue other; it takes"),
        ({"refusal": "it crashed 3 times"}, "it crashed 3 times"),
        ({"data": {"userId": 7}}, "bad payload for greet: userId: Input should be a valid string"),
        ({"data": {}}, "bad payload for greet: userId: Field required"),
        ({"data": "x"}, "bad payload for greet: payload: Input should be a valid dictionary or instance of Greeting"),
        ({"data": None}, "bad payload for greet: payload: Input should be a valid dictionary or instance of Greeting"),
    ],
)
async def test_a_job_that_can_not_run_is_buried_at_once(changes: dict[str, Any], reason: str) -> None:
    """An unknown name, a refused job or a bad payload is dead in its first attempt, and the bad field is named."""
    assert [("bury", reason)] == await Bench(NotingLease(make_job(**changes)), returning(None)).run()


async def test_a_reason_never_repeats_the_payload() -> None:
    """A bad value may be a secret: the reason names the field and not its value."""
    bench = Bench(NotingLease(make_job(data={"userId": ["s3cret"]})), returning(None))
    [(_, reason)] = await bench.run()
    assert "userId" in reason
    assert "s3cret" not in reason


async def test_the_deadline_ends_an_attempt() -> None:
    """An attempt that takes longer than the queue's timeout is ended, and may be tried again."""
    assert [("retry", 2.0, "timed out after 0 s")] == await Bench(NotingLease(make_job(timeout=0.0)), hanging).run()


async def test_a_processors_own_timeout_error_is_not_the_deadline() -> None:
    """A TimeoutError of a library is an error like others."""
    assert [("retry", 2.0, "slow server")] == await Bench(NotingLease(), raising(TimeoutError("slow server"))).run()


async def test_an_interrupted_run_gives_its_job_back() -> None:
    """At shutdown a job that is cut short goes back without using up an attempt."""
    bench = Bench(NotingLease(), hanging)
    run = asyncio.create_task(bench.executor.run(bench.lease))
    await asyncio.sleep(0)
    bench.executor.interrupt()
    await run
    assert [("release",)] == bench.lease.calls
    assert [Released] == endings(bench.events)


async def test_a_job_that_ends_in_spite_of_the_interruption_is_done() -> None:
    """A processor that finishes its work in spite of a stop has finished it."""

    async def stubborn(_payload: Greeting, _context: Context, /) -> dict[str, int]:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return {"sent": 1}
        return {}

    bench = Bench(NotingLease(), stubborn)
    run = asyncio.create_task(bench.executor.run(bench.lease))
    await asyncio.sleep(0)
    bench.executor.interrupt()
    await run
    assert [("done", {"sent": 1})] == bench.lease.calls


async def test_nothing_is_begun_after_an_interruption() -> None:
    """A run that starts when the runner has been interrupted gives its job back unseen."""
    bench = Bench(NotingLease(), returning(None))
    bench.executor.interrupt()
    assert [("release",)] == await bench.run()


async def test_an_interruption_does_not_stop_the_recording() -> None:
    """A job that is done is recorded to the end, even if the runner is interrupted meanwhile."""

    class Slow(NotingLease):
        async def done(self, result: Any) -> None:
            bench.executor.interrupt()
            await asyncio.sleep(0)
            await super().done(result)

    bench = Bench(Slow(), returning({"sent": 1}))
    assert [("done", {"sent": 1})] == await bench.run()


async def test_a_processor_that_cancels_itself_has_failed() -> None:
    """A CancelledError of its own is a failed attempt: given back, such a job would run for ever."""
    bench = Bench(NotingLease(), raising(asyncio.CancelledError()))
    assert [("retry", 2.0, "the processor cancelled itself")] == await bench.run()


@pytest.mark.parametrize(
    ("error", "reason"), [(SystemExit("no key"), "SystemExit: no key"), (BaseException("panicked"), "panicked")]
)
async def test_a_processor_can_not_end_the_worker(error: BaseException, reason: str) -> None:
    """A job that calls sys.exit, or a library in Rust that panics, is a failed attempt: other jobs are running."""
    assert [("retry", 2.0, reason)] == await Bench(NotingLease(), raising(error)).run()


async def test_an_outcome_survives_an_outage() -> None:
    """A finished job is recorded when the broker is back: its work is not done again."""
    trouble = BrokerUnavailableError("away")
    bench = Bench(NotingLease(None, trouble, trouble), returning(None))
    assert [("done", None)] == await bench.run()


async def test_a_run_gives_up_on_an_endless_outage() -> None:
    """The run ends, says why, and lets the lease expire, so that the job is recovered."""
    bench = Bench(NotingLease(None, *[BrokerUnavailableError("away")] * 9), returning(None))
    assert [("abandon",)] == await bench.run()
    [event] = bench.events
    assert isinstance(event, JobEnded)
    assert Lost("Redis can't be reached (away)") == event.ending


async def test_a_lost_lease_settles_nothing() -> None:
    """Another worker has the job by now, and settles it."""
    bench = Bench(NotingLease(None, LeaseLostError("taken over")), returning(None))
    assert [] == await bench.run()
    assert [Lost] == endings(bench.events)


async def test_a_wire_may_refuse_a_completion() -> None:
    """A BullMQ parent whose child failed can't complete: it is dead, and its dead letter says so."""
    bench = Bench(NotingLease(None, PermanentError("a child failed")), returning(None))
    assert [("bury", "a child failed")] == await bench.run()
    assert [Dead] == endings(bench.events)


async def test_a_parent_that_was_given_a_child_is_tried_again() -> None:
    """A BullMQ parent that may not complete for now has failed this attempt."""
    bench = Bench(NotingLease(None, TransientError("pending dependencies")), returning(None))
    assert [("retry", 2.0, "pending dependencies")] == await bench.run()


async def test_a_refused_command_is_not_repeated_for_ten_minutes() -> None:
    """A command that the server refuses for its content is given up at once; the lease expires."""
    bench = Bench(NotingLease(None, BrokerRefusedError("WRONGTYPE")), returning(None))
    assert [("abandon",)] == await bench.run()
    assert [Lost] == endings(bench.events)


async def test_progress_is_throttled() -> None:
    """Of many reports within a second the first is written, and always the last, 100."""

    async def process(_payload: Greeting, context: Context, /) -> None:
        for percent in (1, 2, 3, 100):
            await context.progress(percent)
        await context.log("a line")

    bench = Bench(NotingLease(), process)
    await bench.run()
    assert [1, 100, "a line"] == bench.lease.reports


async def test_a_report_that_fails_does_not_cost_the_job() -> None:
    """Progress that can't be delivered is dropped; the job goes on."""

    class Deaf(NotingLease):
        async def progress(self, value: Any) -> None:
            raise BrokerUnavailableError(str(value))

    async def process(_payload: Greeting, context: Context, /) -> dict[str, int]:
        await context.progress(50)
        return {"sent": 1}

    assert [("done", {"sent": 1})] == await Bench(Deaf(), process).run()


async def leaving_things(_payload: Greeting, context: Context, /) -> dict[str, str]:
    """A processor that writes notes, adds a job, and reports counts."""
    await context.note({"a": "1", "b": "2"}, ["b"])
    await context.enqueue(Addition(job_id="next", name="greet", data={}))
    context.count("greetings", {"here": {"sent": 1}})
    context.count("greetings", {"here": {"sent": 2, "gone": 1}})
    return await context.notes()


async def test_notes_and_follow_ups_survive_an_outage() -> None:
    """They wait for the broker to come back; the observer gets the counts."""
    trouble = BrokerUnavailableError("away")
    bench = Bench(NotingLease(None, trouble, trouble, trouble), leaving_things)
    follow_up = Addition(job_id="next", name="greet", data={})
    assert [("enqueue", "work", follow_up), ("done", {"a": "1"})] == await bench.run()
    [ended] = [event for event in bench.events if isinstance(event, JobEnded)]
    assert {"greetings": {"here": {"sent": 3, "gone": 1}}} == ended.counts


async def test_a_run_does_not_wait_for_ever_to_note() -> None:
    """If the broker stays away the processor gets an error, and the job is put off: it is not the job's fault."""
    bench = Bench(NotingLease(None, *[BrokerUnavailableError("away")] * 4), leaving_things)
    assert [("snooze", OUTAGE_PAUSE)] == await bench.run()


async def test_a_refused_note_is_not_repeated() -> None:
    """The processor gets the refusal at once."""
    bench = Bench(NotingLease(None, BrokerRefusedError("WRONGTYPE")), leaving_things)
    [(word, _, reason)] = await bench.run()
    assert ("retry", "Redis refuses a command (WRONGTYPE)") == (word, reason)


@pytest.mark.parametrize("end", [None, PermanentError("cut short"), SnoozeError("later", 9.0)])
async def test_a_run_that_lost_its_lease_has_no_outcome(end: Exception | None) -> None:
    """It settles nothing and leaves no dead letter, however the processor ends."""

    async def process(_payload: Greeting, _context: Context, /) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if end is not None:
                raise end from None

    bench = Bench(NotingLease(), process)
    run = asyncio.create_task(bench.executor.run(bench.lease))
    await asyncio.sleep(0)
    bench.lease.lose()
    await run
    assert ([], []) == (bench.lease.calls, bench.order)
    assert [Lost] == endings(bench.events)


@pytest.mark.parametrize("end", [None, TransientError("cut short"), SnoozeError("later", 9.0)])
async def test_a_run_that_is_stopped_is_dead(end: Exception | None) -> None:
    """It is cut short and buried with its dead letter, though it has attempts left, however the processor ends."""

    async def process(_payload: Greeting, _context: Context, /) -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if end is not None:
                raise end from None

    bench = Bench(NotingLease(), process)
    run = asyncio.create_task(bench.executor.run(bench.lease))
    await asyncio.sleep(0)
    bench.lease.stop("stopped on request")
    await run
    assert not bench.lease.job.is_last_attempt
    assert [("bury", "stopped on request")] == bench.lease.calls
    assert ["letter after 0 calls", "stopped on request"] == bench.order


async def test_a_lease_that_was_lost_before_its_run_is_not_run() -> None:
    """A job that was fetched ahead may be lost before a slot is free."""
    bench = Bench(NotingLease(), returning(None))
    bench.lease.lose()
    assert [] == await bench.run()
    assert [Lost] == endings(bench.events)


async def test_a_lease_lost_during_the_shutdown_is_not_given_back() -> None:
    """Another worker has the job: there is nothing to give back."""
    bench = Bench(NotingLease(), hanging)
    run = asyncio.create_task(bench.executor.run(bench.lease))
    await asyncio.sleep(0)
    bench.lease.lose()
    bench.executor.interrupt()
    await run
    assert [] == bench.lease.calls
    assert [Lost] == endings(bench.events)
