"""What a Next.js app uses to look after its queue: the list of workers, jobs that are kept, and failed jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.chaos_worker import FILES, PUSHES
from tests.support.node import node

if TYPE_CHECKING:
    from tests.support.wires import Mess

pytestmark = pytest.mark.usefixtures("node_modules")


async def test_workers(mess: Mess) -> None:
    """`queue.getWorkers()`, on which dashboards build, lists each process once for each queue it serves."""
    async with mess.worker(), mess.worker(), mess.worker(QUEUES=FILES):
        pushes, files, other = await node(mess.url, *(("getWorkers", queue) for queue in (PUSHES, FILES, "other")))

    assert (2, 3, 0) == (len(pushes), len(files), len(other))
    assert 3 == len({worker["rawname"].rsplit(":", 1)[1] for worker in [*pushes, *files]})


async def test_retention_options(mess: Mess) -> None:
    """`removeOnComplete` and `removeOnFail` are honoured as a boolean, a number and an age; without them jobs stay."""
    opts: list[dict[str, Any]] = [
        {"jobId": "plain"},
        {"jobId": "removed", "removeOnComplete": True},
        {"jobId": "kept", "removeOnComplete": False},
        {"jobId": "older", "removeOnComplete": {"age": 3600}},
    ]
    async with mess.worker(PUSH_NOTIFICATIONS_CONCURRENCY="1") as worker:
        await node(
            mess.url,
            *(("add", PUSHES, "nap", {}, each) for each in opts),
            ("add", PUSHES, "fail-for-good", {}, {"jobId": "broken"}),
            ("add", PUSHES, "fail-for-good", {}, {"jobId": "broken-removed", "removeOnFail": True}),
        )
        await worker.logged("job_dead", 2)
        [counts] = await node(mess.url, ("getJobCounts", PUSHES, "completed", "failed"))
        found = await node(mess.url, *(("getJob", PUSHES, each) for each in ("plain", "removed", "broken-removed")))
        await node(mess.url, ("add", PUSHES, "nap", {}, {"jobId": "last", "removeOnComplete": {"count": 1}}))
        await worker.logged("job_done", 5)
        [kept] = await node(mess.url, ("getJobs", PUSHES, ["completed"]))

    assert {"completed": 3, "failed": 1} == counts
    assert ["completed", None, None] == [job and job["state"] for job in found]
    assert ["last"] == [job["id"] for job in kept]


async def test_retry_and_triage(mess: Mess) -> None:
    """`job.retry()` runs a failed job again; the triage snippet finds its dead letter and enqueues it anew."""
    data = {"n": 1}
    async with mess.worker() as worker:
        [job] = await node(mess.url, ("add", PUSHES, "flaky", data, {"attempts": 1}))
        await worker.logged("job_dead")
        await node(mess.url, ("job.retry", PUSHES, job["id"]))
        await worker.logged("job_done", id=job["id"])
        retried, triage, again, left = await node(
            mess.url,
            ("getJob", PUSHES, job["id"]),
            ("triage", "dead", "flaky_failed", PUSHES, "nap"),
            ("waitUntilFinished", PUSHES, None, 5000),
            ("getJobs", "dead"),
        )

    assert ("completed", {"attempt": 2}, None) == tuple(
        retried[key] for key in ("state", "returnvalue", "failedReason")
    )
    [letter] = triage["listed"]
    assert "flaky_failed" == letter["name"]
    assert (job["id"], "flaky", data, 1) == tuple(letter["data"][key] for key in ("id", "name", "data", "attemptsMade"))
    assert {"data": data} == again
    assert [] == left
