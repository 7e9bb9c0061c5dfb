"""RQ's own tools and options on our worker's jobs: they work as a Python team knows them."""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from rq import Repeat, Retry, Worker
from rq.job import Dependency, Job, JobStatus
from rq.registry import FailedJobRegistry, FinishedJobRegistry, StartedJobRegistry
from rq.results import Result
from rq.serializers import JSONSerializer

from queue_lib.queues import DAY
from tests.support.chaos_worker import PUSHES
from tests.support.polling import BUSY, until
from tests.support.queues import QUEUES

if TYPE_CHECKING:
    from tests.support.wires import Mess

# RQ keeps due times in whole seconds, and an idle worker looks every 2.5 seconds at what was scheduled meanwhile.
WHOLE, LOOK, SLACK = 1.0, 2.5, BUSY  # seconds


def fetched(mess: Mess, job_id: str) -> Job:
    """The job as stock RQ shows it."""
    return Job.fetch(job_id, connection=mess.redis, serializer=JSONSerializer)


async def rq_cli(*arguments: str) -> str:
    """The output of the `rq` program."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "rq.cli", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert 0 == process.returncode, output.decode()
    return output.decode()


async def test_results(mess: Mess) -> None:
    """`job.return_value()`, `latest_result()` and the status are as after a run by RQ's own worker."""
    [done] = mess.rq("nap", {"n": 1})
    [failed] = mess.rq("fail-for-good", {"message": "never"})
    async with mess.worker() as worker:
        await worker.logged("job_done")
        await worker.logged("job_dead")

    job = fetched(mess, done)
    latest = job.latest_result()
    assert (JobStatus.FINISHED, {"data": {"n": 1}}) == (job.get_status(), job.return_value())
    assert latest is not None
    assert (Result.Type.SUCCESSFUL, {"data": {"n": 1}}) == (latest.type, latest.return_value)
    assert job.started_at is not None
    assert job.ended_at is not None
    assert job.enqueued_at is not None
    assert job.enqueued_at <= job.started_at <= job.ended_at
    job = fetched(mess, failed)
    latest = job.latest_result()
    assert JobStatus.FAILED == job.get_status()
    assert latest is not None
    assert latest.exc_string is not None
    assert (Result.Type.FAILED, "never") == (latest.type, latest.exc_string.strip().rsplit(": ", 1)[1])


async def test_rq_info(mess: Mess) -> None:
    """`rq info` shows one busy worker with an execution for each of two running jobs, and none after its stop."""
    async with mess.worker(SHUTDOWN_GRACE="4") as worker:
        ids = mess.rq("nap", {"seconds": [600.0]}, {"seconds": [600.0]})
        await until(lambda: len(mess.record) == 2)
        info = await rq_cli("info", "-u", mess.url)
        [registered] = Worker.all(connection=mess.redis)
        running = StartedJobRegistry(PUSHES, mess.redis).get_job_ids(cleanup=False)
        assert 0 == (await worker.terminate(30.0))[0]
    after = await rq_cli("info", "-u", mess.url)

    assert sorted(ids) == sorted(running)
    assert "1 workers" in info
    assert f"{registered.name} (" in info
    assert "busy" in info
    assert "0 workers" in after


async def test_requeue(mess: Mess) -> None:
    """A failed job that `rq requeue`, or a dashboard by the registry, puts back runs again and succeeds."""
    ids = mess.rq("flaky", {}, {}, retry=None)
    async with mess.worker(PUSH_NOTIFICATIONS_ATTEMPTS="1") as worker:
        await worker.logged("job_dead", 2)
        registry = FailedJobRegistry(PUSHES, mess.redis, serializer=JSONSerializer)
        assert sorted(ids) == sorted(registry.get_job_ids())
        registry.requeue(ids[0])
        await rq_cli("requeue", "-u", mess.url, "--queue", PUSHES, "--serializer", "json", ids[1])
        await worker.logged("job_done", 2)

    assert [JobStatus.FINISHED] * 2 == [fetched(mess, job_id).get_status() for job_id in ids]
    assert 0 == registry.get_job_count()
    assert [1, 2] == [run["attempt"] for run in mess.runs(ids[1])]


async def test_retries(mess: Mess) -> None:
    """`Retry(max, interval)` is kept to; a job without one gets the queue's attempts; each attempt leaves its error."""
    async with mess.worker(PUSH_NOTIFICATIONS_ATTEMPTS="2", PUSH_NOTIFICATIONS_BACKOFF="1") as worker:
        [listed] = mess.rq("fail", {}, retry=Retry(max=2, interval=[1, 2]))
        [at_once] = mess.rq("fail", {}, retry=Retry(max=3, interval=0))
        [policy] = mess.rq("fail", {})
        [never] = mess.rq("fail-for-good", {}, retry=Retry(max=3, interval=0))
        await worker.logged("job_dead", 4)

    _assert_about([1.0, 2.0], _waits(mess, listed))
    assert [1, 2, 3, 4] == [run["attempt"] for run in mess.runs(at_once)]
    assert all(wait < 0.5 for wait in _waits(mess, at_once))
    _assert_about([1.0], _waits(mess, policy))
    assert 1 == len(mess.runs(never))
    counts = {job_id: len(fetched(mess, job_id).results()) for job_id in (listed, at_once, policy, never)}
    assert {listed: 3, at_once: 4, policy: 2, never: 1} == counts


def _waits(mess: Mess, job_id: str) -> list[float]:
    return [later["at"] - earlier["at"] for earlier, later in pairwise(mess.runs(job_id))]


def _assert_about(expected: list[float], waits: list[float]) -> None:
    """Never early, and late by no more than rounding to seconds and polling cost."""
    assert len(expected) == len(waits)
    assert all(right <= wait < max(right + WHOLE, LOOK) + SLACK for right, wait in zip(expected, waits, strict=True)), (
        waits
    )


async def test_order(mess: Mess) -> None:
    """The high lane comes first, the low lane last; `at_front` goes to the front of its lane."""
    low = mess.rq("nap", {}, queue=f"{PUSHES}-low")
    normal = mess.rq("nap", {}, {})
    front = mess.rq("nap", {}, at_front=True)
    high = mess.rq("nap", {}, queue=f"{PUSHES}-high")

    async with mess.worker(PUSH_NOTIFICATIONS_CONCURRENCY="1", WIRES="rq"):
        await until(lambda: len(mess.done()) == 5)

    assert [*high, *front, *normal, *low] == [line["id"] for line in mess.record if line["event"] == "start"]


async def test_delays(mess: Mess) -> None:
    """`enqueue_in` and `enqueue_at` start a job when it is due, without `rq worker --with-scheduler`."""
    async with mess.worker():
        sent = time.time()
        jobs = [mess.lane().enqueue_in(timedelta(seconds=delay), "nap", {}).id for delay in (1, 3)]
        await until(lambda: set(jobs) <= mess.done())

    waits = [mess.runs(job_id)[0]["at"] - sent for job_id in jobs]
    # RQ itself cuts the due time to a whole second: a job may be early by as much.
    assert all(delay - WHOLE <= wait < max(delay, LOOK) + SLACK for delay, wait in zip((1, 3), waits, strict=True)), (
        waits
    )


async def test_dependents(mess: Mess) -> None:
    """A dependent runs after its dependency has succeeded, or failed if it allows that."""
    lane = mess.lane()
    first = lane.enqueue("nap", {"seconds": [0.3]})
    failing = lane.enqueue("fail-for-good", {})
    after = lane.enqueue("nap", {}, depends_on=first).id
    both = lane.enqueue("nap", {}, depends_on=[first.id, after]).id
    never = lane.enqueue("nap", {}, depends_on=failing).id
    anyway = lane.enqueue("nap", {}, depends_on=Dependency(jobs=[failing], allow_failure=True)).id
    async with mess.worker():
        await until(lambda: {first.id, after, both, anyway} <= mess.done(), why=lambda: mess.record)

    order = [line["id"] for line in mess.record if line["event"] == "end" and line["id"] != anyway]
    assert [first.id, after, both] == order
    assert [] == mess.runs(never)
    assert JobStatus.DEFERRED == fetched(mess, never).get_status()


async def test_a_dependent_reads_how_its_dependencies_have_ended(mess: Mess) -> None:
    """Results and failures by id, whichever worker ran them; a dependency with `result_ttl=0` has no result."""
    lane = mess.lane()
    first, failing = lane.enqueue("nap", {"n": 1}), lane.enqueue("fail-for-good", {})
    gone = lane.enqueue("nap", {"n": 2}, result_ttl=0)
    of = Dependency(jobs=[first, failing, gone], allow_failure=True)
    gather = lane.enqueue("gather", {}, depends_on=of)
    alone = lane.enqueue("gather", {})
    async with mess.worker() as worker:
        await worker.logged("job_done", id=gather.id)
        await worker.logged("job_done", id=alone.id)

    expected = {"results": {first.id: {"data": {"n": 1}}}, "failures": {failing.id: "no such user"}}
    assert expected == fetched(mess, gather.id).return_value()
    assert {"results": {}, "failures": {}} == fetched(mess, alone.id).return_value()


async def test_progress(mess: Mess) -> None:
    """Progress and log lines are in `job.meta` while the job runs, beside what the producer put there."""
    [job_id] = mess.rq("report", {"seconds": [1.1]}, meta={"trace": "t1"})
    async with mess.worker() as worker:
        meta = await until(lambda: (now := fetched(mess, job_id).meta).get("log") and now)
        await worker.logged("job_done")

    assert {"trace": "t1", "progress": 50, "log": ["half way"]} == meta
    assert {"trace": "t1", "progress": {"done": 2, "of": 2}, "log": ["half way"]} == fetched(mess, job_id).meta


async def test_retention(mess: Mess) -> None:
    """Finished and failed jobs expire by the queue's age or the producer's; `result_ttl=0` leaves nothing behind."""
    [kept] = mess.rq("nap", {})
    [own] = mess.rq("nap", {}, result_ttl=60)
    [gone] = mess.rq("nap", {}, result_ttl=0)
    [failed] = mess.rq("fail-for-good", {})
    async with mess.worker() as worker:
        await worker.logged("job_done", 3)
        await worker.logged("job_dead", 1)

    ttl = {job_id: mess.redis.ttl(f"rq:job:{job_id}") for job_id in (kept, own, gone, failed)}
    [queue] = [queue for queue in QUEUES if queue.name == PUSHES]
    assert DAY == queue.keep_completed.age
    wanted = {kept: queue.keep_completed.age, own: 60, gone: -2, failed: queue.keep_failed.age}
    assert {} == {job_id: left for job_id, left in ttl.items() if not wanted[job_id] - 10 < left <= wanted[job_id]}
    assert {kept, own} == set(FinishedJobRegistry(PUSHES, mess.redis).get_job_ids())


async def test_retention_by_count(mess: Mess) -> None:
    """The newest thousand finished jobs stay; the others go at once, with all their keys."""
    registry = FinishedJobRegistry(PUSHES, mess.redis)
    [job_id] = mess.rq("nap", {})
    [own] = mess.rq("nap", {}, result_ttl=-1)
    async with mess.worker() as worker:
        await worker.logged("job_done", 2)
        with mess.redis.pipeline() as pipe:
            for number in range(1005):
                name = f"{job_id}-{number}"
                pipe.copy(f"rq:job:{job_id}", f"rq:job:{name}")
                pipe.copy(f"rq:results:{job_id}", f"rq:results:{name}")
                pipe.hset(f"rq:job:{name}", "settled_by", f"{name}:x")
                pipe.zadd(registry.key, {name: time.time() + DAY})
                pipe.rpush(f"rq:kept:{PUSHES}", f"{name}:x")
            pipe.execute()
        new = mess.rq("nap", *[{}] * 5)
        await worker.logged("job_done", 7)

    kept = set(registry.get_job_ids(cleanup=False))
    assert 1001 == len(kept)
    assert {own, *new} <= kept
    assert not kept & {job_id, *(f"{job_id}-{number}" for number in range(9))}
    assert 2 * 1001 == len(
        [*mess.redis.scan_iter("rq:job:*", count=1000), *mess.redis.scan_iter("rq:results:*", count=1000)]
    )


async def test_repeat(mess: Mess) -> None:
    """`Repeat(times, interval)` runs the job again after its success, so many times."""
    async with mess.worker():
        [job_id] = mess.rq("nap", {}, repeat=Repeat(times=1, interval=1))
        await until(lambda: len(mess.runs(job_id, "end")) == 2)
        await asyncio.sleep(1.2)

    assert 2 == len(mess.runs(job_id))


async def test_suspend(mess: Mess) -> None:
    """`rq suspend` stops RQ's jobs of all queues until `rq resume`."""
    async with mess.worker() as worker:
        await rq_cli("suspend", "-u", mess.url)
        [job_id] = mess.rq("nap", {})
        await asyncio.sleep(0.7)
        assert [] == mess.record
        await rq_cli("resume", "-u", mess.url)
        await worker.logged("job_done", id=job_id)
