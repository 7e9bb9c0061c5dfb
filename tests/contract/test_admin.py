"""What an operator sees and does, on every wire: one suite over memory, BullMQ and RQ."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import pytest
import redis
from bullmq import FlowProducer
from bullmq import Queue as BullQueue
from rq import Queue as RQQueue

from queue_lib.admin import Admin, Replay, Wanted
from queue_lib.broker.base import LISTED, READ_AT_ONCE, Addition, DeadLetter, JobRef, NotNow, State
from queue_lib.errors import PermanentError
from queue_lib.job import Wire
from queue_lib.observe.events import JobSettled, JobStarted
from queue_lib.observe.pulse import Pulse, WorkerView
from queue_lib.outcome import Dead, Done, Failure, Outcome, Retry
from queue_lib.processor import Form, Model
from queue_lib.runner.reporter import Reporter
from tests.support.mills import QUEUE, Mill, redis_mill

if TYPE_CHECKING:
    from queue_lib.broker.base import Broker, Lease

FAILURE = Failure("bad payload: userId", "Traceback: it broke")


class Greeting(Model):
    """The payload of the job `greet`."""

    user_id: str


@pytest.fixture
def admin(mill: Mill) -> Admin:
    """An operator of this wire alone."""
    forms = [Form("greet", QUEUE.name, Greeting), Form("call", QUEUE.name, Greeting, internal=True)]
    return Admin(
        [mill.inspector], mill.dead_letters, mill.pulses, [QUEUE.name], by="anna", forms=forms, clock=clock(mill)
    )


def clock(mill: Mill) -> Any:
    """The clock by which this wire's times are told."""
    return time.monotonic if mill.name == "memory" else time.time


async def fail(mill: Mill, lease: Lease, failure: Failure = FAILURE) -> str:
    """Bury a job as the executor does; returns its id."""
    await mill.dead_letters.add(DeadLetter(job=lease.job, failure=failure, failed_at=clock(mill)()))
    await lease.bury(failure)
    return lease.job.id


async def failed(mill: Mill, *names: str, **options: Any) -> list[str]:
    """Failed jobs of these names; returns their ids."""
    broker, ids = await mill.broker(), []
    for number, name in enumerate(names):
        await mill.enqueue(name, {"number": number}, **options)
        ids.append(await fail(mill, await mill.claim(broker)))
        await asyncio.sleep(0.01)  # to tell them apart by time
    return ids


@pytest.mark.parametrize("state", [State.WAITING, State.DELAYED, State.ACTIVE, State.COMPLETED, State.FAILED])
async def test_pages_show_every_job_of_a_state_once(mill: Mill, state: State) -> None:
    """Whatever the state, pages of two have all five jobs between them, each as it was enqueued."""
    broker = await mill.broker()
    ids = [await mill.enqueue("greet", n, delay=60.0 if state is State.DELAYED else 0.0) for n in range(5)]
    for _ in range(5 if state in {State.ACTIVE, State.COMPLETED, State.FAILED} else 0):
        lease = await mill.claim(broker)
        if state is State.COMPLETED:
            await lease.done({"ok": True})
        elif state is State.FAILED:
            await lease.bury(FAILURE)

    pages = [await mill.inspector.page(QUEUE.name, state, start, 2) for start in (0, 2, 4, 6)]

    assert [2, 2, 1, 0] == [len(page) for page in pages]
    shown = {job.id: job for page in pages for job in page}
    assert set(ids) == set(shown)
    for number, job_id in enumerate(ids):
        job = shown[job_id]
        assert (job.name, job.queue, job.wire, job.state) == ("greet", QUEUE.name, mill.inspector.wire, state)
        assert job.data == number
        assert (job.finished_at is not None) == (state in {State.COMPLETED, State.FAILED})


async def test_a_job_that_completes_meanwhile_has_its_result(mill: Mill, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is told that it is completed can read what came of it."""
    job_id = await mill.enqueue("greet", {})
    lease = await mill.claim(await mill.broker())
    state_of = BullQueue.getJobState

    async def complete_first(self: Any, asked: str) -> Any:
        await lease.done({"ok": 1})
        return await state_of(self, asked)

    monkeypatch.setattr(BullQueue, "getJobState", complete_first)
    if mill.name != "bullmq":  # which alone takes two readings
        await lease.done({"ok": 1})
    view = await mill.view(job_id)

    assert (State.COMPLETED, {"ok": 1}) == (view.state, view.result)


async def test_pages_go_on_into_what_has_a_priority(redis_url: str) -> None:
    """BullMQ keeps waiting jobs in two places; RQ in three lanes."""
    async with redis_mill(redis_url, "bullmq") as mill:
        source = BullQueue(QUEUE.name, {"connection": redis_url})
        added = [await source.add("greet", n, {"priority": n} if n > 2 else {}) for n in range(5)]
        await source.close()
        pages = [await mill.inspector.page(QUEUE.name, State.WAITING, start, 2) for start in (0, 2, 4)]
    assert [[job.id for job in added[start : start + 2]] for start in (0, 2, 4)] == [
        [job.id for job in page] for page in pages
    ]
    async with redis_mill(redis_url, "rq") as mill:
        with redis.Redis.from_url(redis_url) as server:
            lanes = [
                RQQueue(QUEUE.name + suffix, connection=server, serializer="json") for suffix in ("-high", "", "-low")
            ]
            expected = [lane.enqueue("greet", 1).id for lane in lanes for _ in range(2)]
        pages = [await mill.inspector.page(QUEUE.name, State.WAITING, start, 3) for start in (0, 3)]
    assert expected == [job.id for page in pages for job in page]


async def test_the_newest_failure_is_shown_first(mill: Mill) -> None:
    """What has just failed is what an operator looks for."""
    first, second = await failed(mill, "a", "b")
    if mill.name == "rq":  # RQ counts in whole seconds
        await asyncio.sleep(1.1)
    [third] = await failed(mill, "c")

    page = await mill.inspector.page(QUEUE.name, State.FAILED, 0, 10)

    assert third == page[0].id
    assert {first, second} == {job.id for job in page[1:]}
    assert FAILURE.reason == page[0].reason


@pytest.mark.parametrize("attempts", [None, 2])
async def test_a_retried_job_has_all_its_attempts_again(mill: Mill, admin: Admin, attempts: int | None) -> None:
    """Also one that failed on its last attempt; and its letter is gone."""
    broker = await mill.broker()
    await mill.enqueue("greet", {}, attempts=attempts)
    first = await mill.claim(broker)
    for _ in range(first.job.max_attempts - 1):
        await first.retry(0.0, FAILURE)
        first = await mill.claim(broker)
    assert first.job.is_last_attempt
    await fail(mill, first)

    [job] = await admin.failed(Wanted())
    assert await admin.retry(job)
    again = (await mill.claim(broker)).job

    assert (1, attempts or QUEUE.attempts) == (again.attempt, again.max_attempts)
    assert 0 == await admin.letter_count()
    assert [] == await admin.failed(Wanted())


async def test_two_operators_retry_a_job_once(mill: Mill, admin: Admin) -> None:
    """The job runs once, and one of the two is told that it has not failed any more."""
    await failed(mill, "greet")
    [job] = await admin.failed(Wanted())

    answers = await asyncio.gather(*(admin.retry(job) for _ in range(4)))

    assert 1 == sum(answers)
    broker = await mill.broker()
    await mill.claim(broker)
    assert isinstance(await broker.claim(QUEUE), NotNow)


async def test_a_job_that_runs_is_neither_retried_nor_removed(mill: Mill) -> None:
    """Its worker has it."""
    job_id = await mill.enqueue("greet", {})
    lease = await mill.claim(await mill.broker())

    assert not await mill.inspector.retry(QUEUE.name, job_id)
    assert not await mill.inspector.remove(QUEUE.name, job_id)
    await lease.done(None)
    assert State.COMPLETED == (await mill.view(job_id)).state


@pytest.mark.parametrize("delay", [0.0, 60.0])
async def test_a_removed_job_is_gone(mill: Mill, delay: float) -> None:
    """With all that was known of it."""
    job_id = await mill.enqueue("greet", {}, delay=delay)

    assert await mill.inspector.remove(QUEUE.name, job_id)
    assert not await mill.inspector.remove(QUEUE.name, job_id)
    assert await mill.inspector.find(QUEUE.name, job_id) is None
    assert isinstance(await (await mill.broker()).claim(QUEUE), NotNow)


@pytest.mark.parametrize(
    ("wire", "key", "fields"),
    [("bullmq", "bull:work:{}", {"stc": 9, "defa": "it stalled"}), ("rq", "rq:job:{}", {"crashes": 9})],
)
async def test_crashes_are_forgotten_with_a_retry(redis_url: str, wire: str, key: str, fields: dict[str, Any]) -> None:
    """A job that was dead because its workers died is run again, and not buried at once for the old reason."""
    async with redis_mill(redis_url, wire) as mill:
        [job_id] = await failed(mill, "greet")
        with redis.Redis.from_url(redis_url) as server:
            server.hset(key.format(job_id), mapping=fields)

        assert await mill.inspector.retry(QUEUE.name, job_id)

        assert (await mill.claim(await mill.broker())).job.refusal is None


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_an_unreadable_job_is_shown_with_the_others(redis_url: str, wire: str) -> None:
    """Whatever somebody has written into its hash, the page is there, and the job can be removed."""
    async with redis_mill(redis_url, wire) as mill:
        odd, even = await failed(mill, "odd", "even")
        hostile = {"data": "{", "opts": "[", "atm": "many", "attempts_made": "many", "stacktrace": "7", "status": "x"}
        with redis.Redis.from_url(redis_url) as server:
            server.hset(f"rq:job:{odd}" if wire == "rq" else f"bull:work:{odd}", mapping=hostile)

        page = await mill.inspector.page(QUEUE.name, State.FAILED, 0, 10)
        shown = await mill.inspector.find(QUEUE.name, odd)

        assert {odd, even} == {job.id for job in page}
        assert shown is not None
        assert await mill.inspector.remove(QUEUE.name, odd)
        assert [even] == [job.id for job in await mill.inspector.page(QUEUE.name, State.FAILED, 0, 10)]


async def test_failed_jobs_are_found_by_what_is_asked(mill: Mill, admin: Admin) -> None:
    """By name, words of the reason, wire, queue and age; all conditions hold together."""
    broker = await mill.broker()
    for name, reason in (("greet", "The door is LOCKED"), ("greet", "no answer"), ("call", "no answer")):
        await mill.enqueue(name, {"secret": 1})
        await fail(mill, await mill.claim(broker), Failure(reason))

    async def found(**wanted: Any) -> list[tuple[str, str | None]]:
        return sorted((job.name, job.reason) for job in await admin.failed(Wanted(**wanted)))

    assert [("greet", "The door is LOCKED")] == await found(text="locked")
    assert [("greet", "no answer")] == await found(name="greet", text="answer")
    assert 3 == len(await found(queue=QUEUE.name, wire=mill.inspector.wire))
    assert [] == await found(queue="another")
    assert [] == await found(older=60.0) == await found(newer=-60.0)
    assert {None} == {job.data for job in await admin.failed(Wanted())}
    letters = await admin.letters(Wanted(text="answer"))
    assert ["greet", "call"] == [letter.name for letter in letters]


async def test_a_letter_sends_its_job_back(mill: Mill, admin: Admin) -> None:
    """The very job, from its first attempt; the letter is gone."""
    [job_id] = await failed(mill, "greet")
    [letter] = await admin.letters(Wanted())
    whole = await admin.letter(letter.letter_id)
    assert whole is not None
    assert (job_id, {"number": 0}, FAILURE.reason, FAILURE.stack) == (whole.id, whole.data, whole.reason, whole.stack)

    assert Replay.RETRIED is await admin.replay(whole)

    assert (job_id, 1) == ((lease := await mill.claim(await mill.broker())).job.id, lease.job.attempt)
    assert await admin.letter(letter.letter_id) is None


async def test_a_letter_outlives_its_job(mill: Mill, admin: Admin) -> None:
    """Retention has removed the job: a new one gets the payload, and two operators make one of it."""
    [job_id] = await failed(mill, "greet")
    await mill.inspector.remove(QUEUE.name, job_id)
    [letter] = await admin.letters(Wanted())
    whole = await admin.letter(letter.letter_id)
    assert whole is not None

    assert {Replay.ENQUEUED} == set(await asyncio.gather(admin.replay(whole), admin.replay(whole)))

    broker = await mill.broker()
    job = (await mill.claim(broker)).job
    assert ("greet", {"number": 0}, 1) == (job.name, job.data, job.attempt)
    assert isinstance(await broker.claim(QUEUE), NotNow)
    assert 0 == await admin.letter_count()


async def test_a_letter_whose_job_runs_by_now_stays(mill: Mill, admin: Admin) -> None:
    """Somebody has retried it by other means: it is not run twice."""
    [job_id] = await failed(mill, "greet")
    await mill.inspector.retry(QUEUE.name, job_id)
    [letter] = await admin.letters(Wanted())

    assert Replay.NOT_FAILED is await admin.replay(letter)

    assert 1 == await admin.letter_count()
    assert await admin.drop(letter)
    assert not await admin.drop(letter)
    assert 0 == await admin.letter_count()


async def test_old_jobs_are_cleaned_out(mill: Mill, admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that ended longer ago than was said, in as many steps as it takes; letters and other jobs stay."""
    monkeypatch.setattr("queue_lib.admin.CLEANED_AT_ONCE", 2)
    await failed(mill, *"abcde")
    await mill.enqueue("greet", {})
    waiting = await mill.enqueue("greet", {})
    await (await mill.claim(mill.brokers[0])).done(None)

    assert 0 == await admin.clean(QUEUE.name, State.FAILED, 60.0)
    await asyncio.sleep(1.1 if mill.name == "rq" else 0.01)
    assert 5 == await admin.clean(QUEUE.name, State.FAILED, 0.0)

    counts = await mill.inspector.counts(QUEUE.name)
    assert (0, 1, 1) == (counts[State.FAILED], counts[State.COMPLETED], counts[State.WAITING])
    assert 1 == await admin.clean(QUEUE.name, State.COMPLETED, 0.0)
    assert 5 == await admin.letter_count()
    assert await mill.inspector.find(QUEUE.name, waiting) is not None
    with pytest.raises(ValueError, match="waiting is not cleaned"):
        await admin.clean(QUEUE.name, State.WAITING, 0.0)


@pytest.mark.parametrize("by_letter", [True, False])
async def test_the_letter_of_a_new_failure_stays(
    mill: Mill, admin: Admin, monkeypatch: pytest.MonkeyPatch, by_letter: bool
) -> None:
    """A worker may fail with the job again before the operator's tool has dropped the old letter."""
    await failed(mill, "greet")
    [job], [letter] = await admin.failed(Wanted()), await admin.letters(Wanted())
    retry = mill.inspector.retry

    async def retry_and_fail(queue: str, job_id: str) -> bool:
        await asyncio.sleep(0.01)
        done = await retry(queue, job_id)
        await fail(mill, await mill.claim(await mill.broker()), Failure("again"))
        return done

    monkeypatch.setattr(mill.inspector, "retry", retry_and_fail)
    await (admin.replay(letter) if by_letter else admin.retry(job))

    assert ["again"] == [each.reason for each in await admin.letters(Wanted())]


async def test_a_wire_that_is_not_served(mill: Mill, admin: Admin) -> None:
    """Nothing is done, and it is said."""
    await failed(mill, "greet")
    [letter] = await admin.letters(Wanted())
    other = next(wire for wire in Wire if wire is not mill.inspector.wire)

    with pytest.raises(PermanentError, match="does not serve the wire"):
        await admin.replay(letter.model_copy(update={"wire": other}))
    assert 1 == await admin.letter_count()


async def test_a_payload_that_was_too_large_for_its_letter(mill: Mill, admin: Admin) -> None:
    """It can't be enqueued again, and the letter stays."""
    [job_id] = await failed(mill, "greet")
    await mill.inspector.remove(QUEUE.name, job_id)
    [letter] = await admin.letters(Wanted())
    note = letter.model_copy(update={"data": {"unserializable": "too large"}})

    assert Replay.NO_PAYLOAD is await admin.replay(note)
    assert 1 == await admin.letter_count()


async def test_a_job_is_added(mill: Mill, admin: Admin) -> None:
    """As a producer adds it, with its own number of attempts; a second one with its id is not."""
    addition = Addition(name="greet", data={"userId": "u", "more": 1}, job_id="hello-1", attempts=2)

    assert ("hello-1", QUEUE.name) == await admin.add(addition, mill.inspector.wire)
    assert ("hello-1", QUEUE.name) == await admin.add(addition, mill.inspector.wire)

    broker = await mill.broker()
    job = (await mill.claim(broker)).job
    assert ("hello-1", "greet", {"userId": "u", "more": 1}, 2) == (job.id, job.name, job.data, job.max_attempts)
    assert isinstance(await broker.claim(QUEUE), NotNow)


async def test_a_job_is_added_for_later(mill: Mill, admin: Admin) -> None:
    """Under an id of the wire's own, and with the queue's attempts."""
    job_id, _ = await admin.add(Addition(name="greet", data={"userId": "u"}, delay=60), mill.inspector.wire)

    view = await mill.view(job_id)
    assert (State.DELAYED, {"userId": "u"}) == (view.state, view.data)


@pytest.mark.parametrize(
    ("addition", "reason"),
    [
        (Addition(name="greeet", data={}), "no such job: 'greeet'; there are greet"),
        (Addition(name="call", data={"userId": "u"}), "no such job: 'call'"),
        (
            Addition(name="greet", data={"userId": ["secret"]}),
            "^bad payload for greet: userId: Input should be a valid string$",
        ),
        (Addition(name="greet", data="secret"), "^bad payload for greet: payload: "),
        (Addition(name="greet", data={"userId": "u"}, job_id="12"), "a job's id"),
        (Addition(name="greet", data={"userId": "u"}, job_id="a:b"), "a job's id"),
        (Addition(name="greet", data={"userId": "u"}, job_id=""), "a job's id"),
    ],
)
async def test_what_could_only_die_is_not_added(mill: Mill, admin: Admin, addition: Addition, reason: str) -> None:
    """The reason says which field, and repeats no value."""
    with pytest.raises(PermanentError, match=reason) as refused:
        await admin.add(addition, mill.inspector.wire)

    assert "secret" not in str(refused.value)
    assert {0} == set((await mill.inspector.counts(QUEUE.name)).values())


async def test_statistics(mill: Mill, admin: Admin) -> None:
    """Counts by wire, the pause, and how long the next job has waited."""
    await failed(mill, "greet")
    await mill.enqueue("greet", {})
    await mill.inspector.pause(QUEUE.name)

    [stats] = await admin.stats()

    assert (QUEUE.name, True) == (stats.queue, stats.paused)
    assert (1, 1, 0) == tuple(stats.total(state) for state in (State.WAITING, State.FAILED, State.ACTIVE))
    assert {mill.inspector.wire} == set(stats.counts)
    assert stats.oldest is not None
    assert 0 <= stats.oldest < 5


@dataclass
class Process:
    """A worker process of one wire: it claims, and tells its pulse."""

    mill: Mill
    broker: Broker
    pulse: Pulse
    reporter: Reporter

    @classmethod
    async def start(cls, mill: Mill, name: str) -> Self:
        """Start it."""
        pulse = Pulse(clock(mill))
        wires, queues = (mill.inspector.wire,), (QUEUE.name,)
        me = WorkerView(name=name, host="here", pid=1, started_at=clock(mill)(), queues=queues, wires=wires)
        return cls(mill, await mill.broker(), pulse, Reporter(me, pulse, mill.pulses, lambda: 5_000_000))

    async def claim(self) -> Lease:
        """Take a job, and tell that it starts."""
        lease = await self.mill.claim(self.broker)
        self.pulse(JobStarted(lease.job))
        return lease

    async def run(self, outcome: Outcome, seconds: float = 1.0) -> None:
        """Run a job to this end."""
        lease = await self.claim()
        match outcome:
            case Done(result):
                await lease.done(result)
            case Retry(delay, failure):
                await lease.retry(delay, failure)
            case Dead(failure):
                await lease.bury(failure)
        self.pulse(JobSettled(lease.job, outcome, seconds))


async def test_workers_are_seen_with_their_jobs(mill: Mill, admin: Admin) -> None:
    """All that have sent a pulse, by name, until they sign off; a lost Redis has them back with the next pulse."""
    first, second = await Process.start(mill, "a"), await Process.start(mill, "b")
    job_id = await mill.enqueue("greet", {})
    await first.claim()
    await second.reporter.send()
    await first.reporter.send()

    seen, other = await admin.workers()

    assert ("a", "here", 1, 5_000_000) == (seen.name, seen.host, seen.pid, seen.memory)
    assert ((QUEUE.name,), (mill.inspector.wire,)) == (seen.queues, seen.wires)
    assert seen.started_at <= seen.seen_at + 1  # the server counts in whole seconds
    [running] = seen.running
    assert (QUEUE.name, mill.inspector.wire, job_id, "greet", 1) == (
        *(running.queue, running.wire, running.id),
        *(running.name, running.attempt),
    )
    assert ("b", ()) == (other.name, other.running)
    await first.reporter.sign_off()
    assert ["b"] == [each.name for each in await admin.workers()]


async def test_the_history_is_summed_over_all_processes(mill: Mill, admin: Admin) -> None:
    """Each minute is there, oldest first, whether anything was done in it or not."""
    processes = [await Process.start(mill, name) for name in "ab"]
    for process in processes:
        for outcome in (Done(None), Retry(60.0, FAILURE), Dead(FAILURE)):
            await mill.enqueue("greet", {})
            await process.run(outcome, seconds=4.0)
        await process.reporter.send()
        await process.reporter.send()
    await processes[0].reporter.sign_off()

    history = await admin.history(QUEUE.name, minutes=5)

    now = clock(mill)()
    assert [60.0] * 4 == [after.at - before.at for before, after in itertools.pairwise(history)]
    assert now - 60 - 5 < history[-1].at <= now
    assert (2, 2, 2) == tuple(sum(getattr(minute, name) for minute in history) for name in ("done", "retried", "dead"))
    worked = [minute for minute in history if minute.done or minute.dead]
    assert all(2.8 < (minute.run_p50 or 0) <= (minute.run_p95 or 0) < 5.7 for minute in worked)
    assert all(0 <= (minute.wait_p50 or 0) <= (minute.wait_p95 or 0) < 5 for minute in worked)
    assert any(minute.wait_p95 is not None for minute in worked)
    assert {(0, None)} == {(minute.done, minute.run_p50) for minute in history[:3]}


@pytest.mark.parametrize("minutes", [0, 1441])
async def test_a_history_has_bounds(admin: Admin, minutes: int) -> None:
    """A day is kept."""
    with pytest.raises(ValueError, match="a history has 1 to 1440 minutes"):
        await admin.history(QUEUE.name, minutes)


async def test_a_pulse_that_somebody_else_has_written(redis_url: str) -> None:
    """It is left out, and the rest is there."""
    async with redis_mill(redis_url, "bullmq") as mill:
        await (await Process.start(mill, "b")).reporter.send()
        with redis.Redis.from_url(redis_url) as server:
            server.zadd("bull:pulse:workers", {"a": time.time()})
            server.set("bull:pulse:worker:a", b'{"name": "\xff')
            server.hset(f"bull:pulse:minute:work:{int(time.time() // 60)}", mapping={"done": "x", "dead": "1"})
        admin = Admin([mill.inspector], mill.dead_letters, mill.pulses, [QUEUE.name], by="anna")

        assert ["b"] == [each.name for each in await admin.workers()]
        assert (0, 1) == ((minute := (await admin.history(QUEUE.name))[-1]).done, minute.dead)


@pytest.mark.parametrize("delay", [0.0, 0.9])
async def test_how_long_a_job_has_waited(mill: Mill, delay: float) -> None:
    """From when it was enqueued, or due, to its claim; not from when it was enqueued to be due later."""
    if mill.name == "rq":
        delay *= 2  # RQ counts in whole seconds
    job_id = await mill.enqueue("greet", {}, delay=delay)
    await asyncio.sleep(delay + (1.1 if mill.name == "rq" and delay else 0.1))
    lease = await mill.claim(await mill.broker())

    assert lease.job.waited is not None
    assert 0.09 <= lease.job.waited < (mill.precision + 1 if mill.name == "rq" else 0.8)
    await lease.done(None)
    view = await mill.view(job_id)
    assert view.wait == pytest.approx(lease.job.waited, abs=0.05)


async def test_a_job_whole(mill: Mill) -> None:
    """Its attempts and its times while it waits, runs, and has ended; and who ran it."""
    broker, before = await mill.broker(), clock(mill)()
    job_id = await mill.enqueue("greet", {"a": 1}, attempts=3)
    waiting = await mill.view(job_id)
    await (await mill.claim(broker)).retry(0.0, FAILURE)
    running = await mill.claim(broker)
    active = await mill.view(job_id)
    await running.bury(FAILURE)
    dead = await mill.view(job_id)

    assert [3, 3, 3] == [view.max_attempts for view in (waiting, active, dead)]
    assert [0, 1, 2] == [view.attempts_made for view in (waiting, active, dead)]
    assert (None, None, None, ()) == (waiting.started_at, waiting.worker, waiting.run, waiting.failures)
    assert (None, None) == (active.run, active.finished_at)
    assert {"memory": "memory"}.get(mill.name, "worker-0") == active.worker
    assert dead.started_at is not None
    assert dead.finished_at is not None
    assert before - 0.1 <= dead.started_at <= dead.finished_at <= clock(mill)() + 0.1
    assert dead.run == pytest.approx(dead.finished_at - dead.started_at)


async def test_each_failed_attempt_of_a_job(mill: Mill) -> None:
    """Its number, what it failed of, and when, where the wire knows."""
    broker = await mill.broker()
    job_id = await mill.enqueue("greet", {}, attempts=3)
    await (await mill.claim(broker)).retry(0.0, Failure("no answer", "Traceback\n  File x\nOSError: no answer\n"))
    await (await mill.claim(broker)).bury(Failure("bad payload", "Traceback\n  File y\nValueError: secret\n"))
    dead = await mill.view(job_id)

    first, last = dead.failures
    assert (1, 2) == (first.attempt, last.attempt)
    assert ("no answer", "bad payload") == (first.reason.removeprefix("OSError: "), last.reason)
    assert ("File x" in first.stack, "File y" in last.stack) == (True, True)
    assert last.at == pytest.approx(dead.finished_at, abs=0.1)
    assert (first.at is None) == (mill.name == "bullmq")
    assert last.stack == dead.stack


async def test_a_retried_job_keeps_what_failed_before(redis_url: str) -> None:
    """The wires keep old failures beyond a retry by an operator; they have no number, for attempts count anew."""
    for wire in ("bullmq", "rq"):
        async with redis_mill(redis_url, wire) as mill:
            [job_id] = await failed(mill, "greet")
            await mill.inspector.retry(QUEUE.name, job_id)
            lease = await mill.claim(mill.brokers[0])
            await lease.bury(Failure("again"))

            assert [(None, 1), (1, 1)] == [
                (each.attempt, (await mill.view(job_id)).attempts_made) for each in (await mill.view(job_id)).failures
            ]


async def test_relatives_on_bullmq(redis_url: str) -> None:
    """A parent knows its children, done or not, and each child its parent, in whichever queue."""
    async with redis_mill(redis_url, "bullmq") as mill:
        flow = FlowProducer({"connection": redis_url})
        children = [{"name": "greet", "queueName": QUEUE.name, "data": n, "opts": {"priority": n}} for n in range(2)]
        tree = await flow.add({"name": "sum", "queueName": QUEUE.name, "data": {}, "children": children})
        await flow.close()
        first = await mill.claim(await mill.broker())
        await first.done(1)

        parent = await mill.view(tree["job"].id)
        child = await mill.view(first.job.id)

        assert State.WAITING_CHILDREN == parent.state
        ids = sorted(each["job"].id for each in tree["children"])
        assert [JobRef(each, QUEUE.name) for each in ids] == list(parent.children)
        assert (JobRef(parent.id, QUEUE.name),) == child.parents
        assert {0, 1} == {(await mill.view(each)).priority for each in ids}


async def test_relatives_on_rq(redis_url: str) -> None:
    """A job knows what it waits for, and what waits for it; those that wait are counted."""
    async with redis_mill(redis_url, "rq") as mill:
        with redis.Redis.from_url(redis_url) as server:
            lane = RQQueue(QUEUE.name, connection=server, serializer="json")
            first = lane.enqueue("greet", 1)
            second = lane.enqueue("greet", 2, depends_on=first)

        assert (JobRef(second.id),) == (await mill.view(first.id)).children
        view = await mill.view(second.id)
        assert ((JobRef(first.id),), State.WAITING_CHILDREN) == (view.parents, view.state)
        assert 1 == (await mill.inspector.counts(QUEUE.name))[State.WAITING_CHILDREN]
        assert [second.id] == [job.id for job in await mill.inspector.page(QUEUE.name, State.WAITING_CHILDREN, 0, 5)]


async def test_jobs_are_browsed(mill: Mill, admin: Admin) -> None:
    """A page, and how many there are; delayed ones with the time at which they are due."""
    await mill.enqueue("greet", 0)
    before = clock(mill)()
    ids = [await mill.enqueue("greet", n, delay=60.0) for n in range(3)]

    page = await admin.browse(QUEUE.name, State.DELAYED, mill.inspector.wire, 1, 1)

    assert 3 == page.total
    [job] = page.jobs
    assert job.id in ids
    for due_at in (job.due_at, (await mill.view(job.id)).due_at):
        assert due_at == pytest.approx(before + 60, abs=1.5)
    assert 4 == sum([(await admin.browse(QUEUE.name, state, mill.inspector.wire, 0, 9)).total for state in State])


async def test_jobs_are_searched(mill: Mill, admin: Admin, monkeypatch: pytest.MonkeyPatch) -> None:
    """By id, name, reason and payload, whatever the case; a search looks at so many jobs, and says where to go on."""
    ids = [await mill.enqueue(name, {"userId": user}) for name, user in (("greet", "Anna"), ("call", "berta"))]

    async def search(text: str, state: State = State.WAITING, **bounds: int) -> tuple[set[str], int | None]:
        found = await admin.search(QUEUE.name, state, mill.inspector.wire, text, **bounds)
        return {job.id for job in found.jobs}, found.resume

    assert ({ids[0]}, None) == await search("ANNA")
    assert ({ids[1]}, None) == await search("Call")
    assert set(ids) <= (await search('"userid": "'))[0]
    assert ids[0] in (await search(ids[0]))[0]
    assert (set(), None) == await search("carla")
    first, resume = await search("userId", count=1)
    assert (1, 1) == (len(first), resume)
    assert (set(ids) - first, None) == await search("userId", start=1)
    monkeypatch.setattr("queue_lib.admin.PAGE", 1)
    monkeypatch.setattr("queue_lib.admin.SEARCHED", 1)
    assert (set(), 1) == await search("berta" if ids[0] in first else "anna")
    await (await mill.claim(await mill.broker())).bury(Failure("The door is LOCKED"))
    assert 1 == len((await search("locked", State.FAILED))[0])


async def test_a_delayed_job_is_promoted(mill: Mill, admin: Admin) -> None:
    """It runs now; one that is not delayed (any more) stays where it is."""
    job_id = await mill.enqueue("greet", {}, delay=600.0)
    view = await mill.view(job_id)

    assert [True, False] == [await admin.promote(view), await admin.promote(view)]

    lease = await mill.claim(await mill.broker())
    assert (job_id, 1) == (lease.job.id, lease.job.attempt)
    assert not await admin.promote(view)
    await lease.done(None)
    assert not await mill.inspector.promote(QUEUE.name, "none")


@pytest.mark.parametrize("delayed", [False, True])
async def test_a_queue_is_drained(mill: Mill, admin: Admin, delayed: bool) -> None:
    """Of what waits, and of what is delayed if that is said; what runs, and what has ended, stays."""
    [dead] = await failed(mill, "greet")
    running = await mill.enqueue("greet", {})
    lease = await mill.claim(mill.brokers[0])
    waiting = [await mill.enqueue("greet", {}) for _ in range(3)]
    later = await mill.enqueue("greet", {}, delay=60.0)

    assert 3 + delayed == await admin.drain(QUEUE.name, delayed=delayed)
    assert 0 == await admin.drain(QUEUE.name, delayed=delayed)

    counts = await mill.inspector.counts(QUEUE.name)
    assert (0, not delayed) == (counts[State.WAITING], counts[State.DELAYED])
    assert [None] * 3 == [await mill.inspector.find(QUEUE.name, each) for each in waiting]
    assert (await mill.inspector.find(QUEUE.name, later) is None) == delayed
    await lease.done(None)
    assert {State.FAILED, State.COMPLETED} == {(await mill.view(each)).state for each in (dead, running)}


@pytest.mark.parametrize("call", ["history", "browse", "search", "drain"])
async def test_a_queue_that_there_is_not(mill: Mill, admin: Admin, call: str) -> None:
    """It is said, and which there are."""
    rest: dict[str, tuple[Any, ...]] = {
        "browse": (State.FAILED, mill.inspector.wire, 0, 9),
        "search": (State.FAILED, mill.inspector.wire, "x"),
    }
    with pytest.raises(PermanentError, match="no such queue: 'mail'; there are work"):
        await getattr(admin, call)("mail", *rest.get(call, ()))


async def test_a_large_payload_is_not_in_a_list(mill: Mill, admin: Admin) -> None:
    """A note stands for it; it is shown with the job itself, and a page of more than one step has all jobs once."""
    large = await mill.enqueue("greet", {"userId": "u" * LISTED})
    ids = [await mill.enqueue("greet", {"userId": "u"}) for _ in range(2 * READ_AT_ONCE)]

    page = await admin.browse(QUEUE.name, State.WAITING, mill.inspector.wire, 0, 100)

    assert [large, *ids] == [job.id for job in page.jobs]
    assert ["unserializable"] == list(page.jobs[0].data)
    assert {"userId": "u" * LISTED} == (await mill.view(large)).data
    assert {"userId": "u"} == page.jobs[-1].data


async def test_a_list_with_a_job_that_is_gone(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its id is still there, and its hash is not: the others are shown, none twice, and found behind it."""
    monkeypatch.setattr("queue_lib.admin.PAGE", 2)
    for wire in ("bullmq", "rq"):
        async with redis_mill(redis_url, wire) as mill:
            ids = [await mill.enqueue("greet", n) for n in range(READ_AT_ONCE + 5)]
            with redis.Redis.from_url(redis_url) as server:
                server.delete(f"rq:job:{ids[3]}" if wire == "rq" else f"bull:work:{ids[3]}")

            page = await mill.inspector.page(QUEUE.name, State.WAITING, 0, 100)

            assert [each for each in ids if each != ids[3]] == [job.id for job in page]
            admin = Admin([mill.inspector], mill.dead_letters, mill.pulses, [QUEUE.name], by="anna")
            found = await admin.search(QUEUE.name, State.WAITING, mill.inspector.wire, ids[-1])
            assert ids[-1] in {job.id for job in found.jobs}
