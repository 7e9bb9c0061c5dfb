"""Jobs that a Python program adds: as stock Node bullmq and stock RQ see them, and as worker.py runs them."""

from __future__ import annotations

import asyncio
import importlib.util
import time
from typing import TYPE_CHECKING, Any

import pytest
from rq.job import Job as RQJob

from queue_lib.errors import BrokerUnavailableError, ConfigurationError, PermanentError
from queue_lib.jobs import Backoff, Deduplication, dispatch_many
from tests.support.node import node
from tests.support.worker_process import WorkerProcess

if TYPE_CHECKING:
    from types import ModuleType

    from tests.support.wires import Mess

JOBS = """
import asyncio

from queue_lib.jobs import Job, Model, PermanentError, Queue, dispatch_many


class Page(Model):
    number: int


class Print(Job[Page]):
    name = "print"
    queue = "pages"

    async def handle(self, payload, context):
        if payload.number < 0:
            raise PermanentError("no such page")
        return {"printed": payload.number}


class Bind(Job[Page]):
    name = "bind"
    queue = "books"

    async def handle(self, payload, context):
        children = await context.children()
        pages = sorted(each["printed"] for each in children.results.values())
        return {"pages": pages, "failures": sorted(children.failures.values())}


class Publish(Job[Page]):
    name = "publish"
    queue = "books"

    def handle(self, payload, context):
        adds = [Print.dispatch({"number": payload.number}, job_id="first"), Print.dispatch({"number": 7})]
        adds += [self.tools.enqueue("bind", {"number": 1}, job_id="bound")]
        batch = self.wait(dispatch_many([Print.of({"number": 8})], then=Bind.of({"number": 8})))
        added = [asyncio.run(adds[0]), *map(self.wait, adds[1:])]
        return {"added": added, "then": batch.then}


QUEUES = (Queue(name="pages", attempts=1), Queue(name="books", attempts=1))
JOBS = (Print, Bind, Publish)
"""


@pytest.fixture
def jobs(mess: Mess, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, as a program of the team's imports it."""
    monkeypatch.setenv("REDIS_URL", mess.url)
    monkeypatch.chdir(mess.folder)
    path = mess.folder / "jobs.py"
    path.write_text(JOBS)
    spec = importlib.util.spec_from_file_location("team_jobs", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def worker(mess: Mess) -> WorkerProcess:
    """`worker.py` with these jobs."""
    return WorkerProcess({"REDIS_URL": mess.url, "JOBS": "jobs", "WIRES": "bullmq,rq"}, mess.folder)


@pytest.mark.usefixtures("node_modules")
async def test_node_sees_what_python_adds(mess: Mess, jobs: Any) -> None:
    """With every option as Node has it; a job with its id is not added again."""
    job_id = await jobs.Print.dispatch(
        {"number": 1},
        delay=60.5,
        priority=3,
        attempts=4,
        backoff=Backoff((2.0,), exponential=True),
        remove_on_complete=True,
        remove_on_fail=10,
        deduplication=Deduplication(id="one"),
    )
    assert job_id == await jobs.Print.dispatch({"number": 2}, deduplication=Deduplication(id="one"))
    mine = [await jobs.Print.dispatch({"number": 3}, job_id="mine") for _ in range(2)]
    [added, own, counts] = await node(
        mess.url, ("getJob", "pages", job_id), ("getJob", "pages", "mine"), ("getJobCounts", "pages")
    )

    assert ("print", {"number": 1}, "delayed") == (added["name"], added["data"], added["state"])
    assert {
        "delay": 60_500,
        "priority": 3,
        "attempts": 4,
        "backoff": {"type": "exponential", "delay": 2000},
        "removeOnComplete": True,
        "removeOnFail": 10,
        "deduplication": {"id": "one"},
    }.items() <= added["opts"].items()
    assert (["mine", "mine"], "waiting", {"number": 3}) == (mine, own["state"], own["data"])
    assert (1, 1) == (counts["waiting"], counts["delayed"])


async def test_rq_sees_what_python_adds(mess: Mess, jobs: Any) -> None:
    """As its own JSON; what RQ can't do is refused by name."""
    job_id = await jobs.Print.dispatch({"number": 1}, wire="rq", attempts=3, priority="high")
    found = RQJob.fetch(job_id, mess.redis, serializer="json")

    assert ("print", [{"number": 1}], "pages-high", 2) == (
        found.func_name,
        found.args,
        found.origin,
        found.retries_left,
    )
    with pytest.raises(PermanentError, match="priority: RQ has no numbers"):
        await jobs.Print.dispatch({"number": 1}, wire="rq", priority=1)


async def test_a_program_without_redis(jobs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the missing variable; an outage is reported as one."""
    monkeypatch.setenv("REDIS_URL", "")
    with pytest.raises(ConfigurationError, match="REDIS_URL: not set"):
        await jobs.Print.dispatch({"number": 1})
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:9")
    for wire in ("bullmq", "rq"):
        with pytest.raises(BrokerUnavailableError, match="Redis can't be reached"):
            await jobs.Print.dispatch({"number": 1}, wire=wire)


async def test_no_connection_is_left(mess: Mess, jobs: Any) -> None:
    """A program may dispatch in every request."""
    for wire in ("bullmq", "rq"):
        await jobs.Print.dispatch({"number": 1}, wire=wire)
    await dispatch_many([jobs.Print.of({"number": 1})])
    deadline = time.monotonic() + 10
    while [each for each in mess.redis.client_list() if "dispatch" in each["name"]]:
        assert time.monotonic() < deadline
        time.sleep(0.05)  # noqa: ASYNC251 -- the connections are closed already, and the server may be late


@pytest.mark.usefixtures("node_modules")
async def test_batches(mess: Mess, jobs: Any) -> None:
    """`complete` runs when all have ended, `success` only if all are done, and an empty batch calls back."""
    pages = [{"number": number} for number in (1, 2, 3)]
    done = await dispatch_many([jobs.Print.of(page) for page in pages], then=jobs.Bind.of({"number": 0}), on="success")
    some = [jobs.Print.of({"number": number}) for number in (4, -1)]
    complete = await dispatch_many(some, then=jobs.Bind.of({"number": 0}))
    failed = await dispatch_many(some, then=jobs.Bind.of({"number": 0}, job_id="never"), on="success")
    empty = await dispatch_many([], then=jobs.Bind.of({"number": 0}))
    alone = await dispatch_many([jobs.Print.of({"number": 9})])
    [parent] = await node(mess.url, ("getJob", "books", done.then))
    assert "waiting-children" == parent["state"]
    async with worker(mess) as process:
        results = await node(
            mess.url, *(("waitUntilFinished", "books", batch.then, 20_000) for batch in (done, complete, empty))
        )
        await process.logged("job_dead", 1, id="never")
        await process.logged("job_done", 1, id=alone.jobs[0], name="print")

    assert [
        {"pages": [1, 2, 3], "failures": []},
        {"pages": [4], "failures": ["no such page"]},
        {"pages": [], "failures": []},
    ] == results
    assert (3, 2, (), None) == (len(done.jobs), len(complete.jobs), empty.jobs, alone.then)
    assert ("never",) == (failed.then,)
    assert {line["attempt"] for line in process.lines("job_done")} == {1}


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_a_job_adds_jobs(mess: Mess, jobs: Any, wire: str) -> None:
    """On its own wire, by class and by name; a batch goes to BullMQ."""
    await jobs.Publish.dispatch({"number": 5}, wire=wire, job_id="publish")
    async with worker(mess) as process:
        [published] = await process.logged("job_done", 1, name="publish")
        await process.logged("job_done", 3, name="print")
        await process.logged("job_done", 2, name="bind")

    added = {line["id"]: line["wire"] for line in process.lines("job_done")}
    assert (wire, wire) == (added["first"], added["bound"])
    assert published["wire"] == wire
    [by_this] = [job_id for job_id in added if job_id.startswith("by-")]
    assert wire == added[by_this]


def test_a_program_without_an_event_loop(jobs: Any) -> None:
    """asyncio.run dispatches, any number of times."""
    ids = {asyncio.run(jobs.Print.dispatch({"number": 1})) for _ in range(3)}
    assert 3 == len(ids)
