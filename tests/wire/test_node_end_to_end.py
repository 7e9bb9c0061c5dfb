"""A Next.js app's side of the wire, by stock Node bullmq, against our worker: it must not tell us from a Node worker.

What a Node worker does is pinned in test_node_kit.py; where a test needs more of it, a Node worker runs beside ours.
"""

from __future__ import annotations

import asyncio
import base64
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.chaos_worker import FILES, PUSHES
from tests.support.node import NodeError, node, node_worker
from tests.support.polling import until

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.app import App
    from tests.support.push_service import PushService
    from tests.support.wires import Mess

pytestmark = pytest.mark.usefixtures("node_modules")

STOCK = "stock"  # the queue of the Node worker that is the yardstick


def of_job(job_id: str, events: Iterable[dict[str, Any]]) -> list[str]:
    """The names of one job's events, in order."""
    return [event["event"] for event in events if event.get("jobId") == job_id]


async def test_a_push(app: App, push_service: PushService) -> None:
    """The app's `await job.waitUntilFinished()` gives the counts in camelCase, and the device has the message."""
    row = push_service.subscribe()
    app.subscribe(row)
    payload = {"title": "Grüße", "body": "👋"}

    async with app.worker():
        _, result, job = await node(
            app.env["REDIS_URL"],
            ("add", PUSHES, "push-notification", {"userId": "user-1", "payload": payload, "options": {"ttl": 60}}),
            ("waitUntilFinished", PUSHES, None, 5000),
            ("getJob", PUSHES, None),
        )

    counts = {"sent": 1, "failed": 0, "pruned": 0, "retrying": 0, "skipped": 0, "total": 1, "expired": False}
    assert counts | {"origins": {push_service.origin: {"sent": 1}}} == result
    assert [payload] == [push.json for push in push_service.received]
    assert ("completed", result, 1) == (job["state"], job["returnvalue"], job["attemptsMade"])


async def test_a_picture(app: App) -> None:
    """The app gets the URLs and the size of the compressed picture, hears of the progress, and finds its row marked."""
    key = app.upload("f1", (2400, 1200))

    async with app.worker():
        _, result, job = await node(
            app.env["REDIS_URL"],
            ("add", FILES, "process-image", {"fileId": "f1", "filePath": key, "userId": "user-1"}),
            ("waitUntilFinished", FILES, None, 10_000),
            ("getJob", FILES, None),
        )

    store = app.env["STORAGE_URL"]
    urls = {name + "Url": f"{store}/f1-{name}.jpg" for name in ("compressed", "thumbnail")}
    size = (app.folder / "store" / "f1-compressed.jpg").stat().st_size
    facts = {"width": 1920, "height": 960, "bytes": size, "format": "jpeg", "dominantColor": "#008080", "variants": []}
    assert urls | facts | {"blurhash": result["blurhash"], "animation": None} == result
    assert [(*urls.values(), 1)] == app.sql('SELECT "compressedUrl", "thumbnailUrl", "processed" FROM "File"')
    assert 100 == job["progress"]


async def test_a_refused_payload(app: App) -> None:
    """A payload that no attempt can help fails at once; the app's promise is rejected with the field at fault."""
    async with app.worker():
        with pytest.raises(NodeError) as caught:
            await node(
                app.env["REDIS_URL"],
                ("add", PUSHES, "push-notification", {"userId": "user-1"}, {"attempts": 5}),
                ("waitUntilFinished", PUSHES, None, 5000),
            )

    assert "bad payload for push-notification: payload: Field required" == caught.value.message


async def test_events_of_a_success(mess: Mess) -> None:
    """Listeners hear the same of a finished job as from a Node worker; the job has its log and its worker's name."""
    async with mess.worker() as worker:
        job, events, found, workers = await node(
            mess.url,
            ("add", PUSHES, "report", {"seconds": [1.1]}),
            ("events", PUSHES, 5000, "completed"),
            ("getJob", PUSHES, None),
            ("getWorkers", PUSHES),
        )
        assert worker.is_running

    assert ["added", "waiting", "active", "progress", "progress", "completed"] == of_job(job["id"], events)
    assert [50, {"done": 2, "of": 2}] == [event["data"] for event in events if event["event"] == "progress"]
    assert (["half way"], {"reports": 2}, 1) == (found["logs"], found["returnvalue"], found["attemptsMade"])
    [listed] = workers
    assert f"bull:{base64.b64encode(PUSHES.encode()).decode()}:w:{found['processedBy']}" == listed["rawname"]


async def test_events_of_a_failure(mess: Mess) -> None:
    """A job that fails twice is delayed in between, fails once for the listeners, and keeps a trace of each attempt."""
    opts = {"attempts": 2, "backoff": {"type": "fixed", "delay": 20}}

    async with mess.worker():
        job, events, found = await node(
            mess.url,
            ("add", PUSHES, "fail", {"message": "no such user"}, opts),
            ("events", PUSHES, 5000, "retries-exhausted"),
            ("getJob", PUSHES, None),
        )

    names = of_job(job["id"], events)
    assert ["added", "waiting", "active", "delayed", "waiting", "active", "failed", "retries-exhausted"] == names
    assert ("failed", "no such user", 2) == (found["state"], found["failedReason"], found["attemptsMade"])
    assert 2 == len(found["stacktrace"])
    assert all(trace.endswith("TransientError: no such user\n") for trace in found["stacktrace"])


async def test_a_final_failure(mess: Mess) -> None:
    """An error that no attempt can help has the effect of a Node worker's UnrecoverableError."""
    async with mess.worker(), node_worker(mess.url, STOCK):
        ours, theirs = await asyncio.gather(*(_fails_for_good(mess.url, queue) for queue in (PUSHES, STOCK)))

    assert theirs == ours


async def _fails_for_good(url: str, queue: str) -> dict[str, Any]:
    job, events, found = await node(
        url,
        ("add", queue, "fail-for-good", {"message": "never"}, {"attempts": 5}),
        ("events", queue, 5000, "failed"),
        ("getJob", queue, None),
    )
    seen = ("state", "failedReason", "attemptsMade", "attemptsStarted")
    return {"events": of_job(job["id"], events), **{name: found[name] for name in seen}}


async def test_backoff(mess: Mess) -> None:
    """The app's exponential backoff is kept; an app that asks for nothing gets the queue's attempts and backoff."""
    opts = {"attempts": 3, "backoff": {"type": "exponential", "delay": 300}}
    async with mess.worker(PUSH_NOTIFICATIONS_BACKOFF="0.4", PUSH_NOTIFICATIONS_ATTEMPTS="2") as worker:
        chosen, left = await node(mess.url, ("add", PUSHES, "fail", {}, opts), ("add", PUSHES, "fail", {}))
        await worker.logged("job_dead", 2)

    _assert_about([0.3, 0.6], _waits(mess, chosen["id"]))
    _assert_about([0.4], _waits(mess, left["id"]))
    assert [1, 2, 3] == [run["attempt"] for run in mess.runs(chosen["id"])]


def _waits(mess: Mess, job_id: str) -> list[float]:
    return [later["at"] - earlier["at"] for earlier, later in pairwise(mess.runs(job_id))]


def _assert_about(expected: list[float], waits: list[float]) -> None:
    """Never early, and at most 0.2 seconds late."""
    assert len(expected) == len(waits)
    assert all(right <= wait < right + 0.2 for right, wait in zip(expected, waits, strict=True)), waits


async def test_a_delay(mess: Mess) -> None:
    """A delay of 700 ms is not rounded up to a second, in an idle worker as in one with other jobs."""
    async with mess.worker():
        added = await node(mess.url, *(("add", PUSHES, "nap", {}, {"delay": delay}) for delay in (700, 1200, 700)))
        await until(lambda: len(mess.done()) == 3)

    waits = [mess.runs(job["id"])[0]["at"] - job["timestamp"] / 1000 for job in added]
    _assert_about([0.7, 1.2, 0.7], waits)


async def test_priorities(mess: Mess) -> None:
    """Jobs without a priority come first, in order, then priority 1, 2, 3; `lifo` goes to the very front."""
    opts: list[dict[str, Any]] = [{"priority": 3}, {"priority": 1}, {}, {"priority": 2}, {"priority": 1}, {}]
    jobs = await node(mess.url, *(("add", PUSHES, "nap", {}, each) for each in (*opts, {"lifo": True})))

    async with mess.worker(PUSH_NOTIFICATIONS_CONCURRENCY="1"):
        await until(lambda: len(mess.done()) == len(jobs))

    order = [line["id"] for line in mess.record if line["event"] == "start"]
    assert [6, 2, 5, 1, 4, 3, 0] == [[job["id"] for job in jobs].index(job_id) for job_id in order]


async def test_pause(mess: Mess) -> None:
    """`queue.pause()` stops both wires of the queue, not its neighbour and not a running job; `resume()` undoes it."""
    async with mess.worker() as worker:
        running, *_ = await node(
            mess.url,
            ("add", PUSHES, "nap", {"seconds": [0.5]}),
            ("events", PUSHES, 5000, "active"),
            ("pause", PUSHES),
            ("add", PUSHES, "nap", {}),
            ("add", FILES, "file-nap", {}),
        )
        [late] = mess.rq("nap", {})
        await asyncio.sleep(1.0)
        assert [(PUSHES, running["id"]), (FILES, "1")] == sorted(
            ((line["queue"], line["id"]) for line in worker.lines("job_done")), reverse=True
        )
        await node(mess.url, ("resume", PUSHES))
        await worker.logged("job_done", 4)

    assert {"1", "2", late} == mess.done()


async def test_a_flow(mess: Mess) -> None:
    """A parent runs after its two children, which may be of another queue, and the app reads their values from it."""
    children = [
        {"name": "nap", "queueName": PUSHES, "data": {"n": 1, "seconds": [0.3]}},
        {"name": "file-nap", "queueName": FILES, "data": {"n": 2, "seconds": [0.1]}},
    ]
    async with mess.worker():
        flow, _, values = await node(
            mess.url,
            ("addFlow", PUSHES, {"name": "nap", "data": {"n": 0}, "children": children}),
            ("waitUntilFinished", PUSHES, None, 5000),
            ("job.getChildrenValues", PUSHES, None),
        )

    keys = [f"bull:{child['job']['queueName']}:{child['job']['id']}" for child in flow["children"]]
    assert {key: {"data": child["data"]} for key, child in zip(keys, children, strict=True)} == values
    assert flow["job"]["id"] == [line["id"] for line in mess.record if line["event"] == "start"][-1]


@pytest.mark.parametrize("option", ["failParentOnFailure", "ignoreDependencyOnFailure", "removeDependencyOnFailure"])
async def test_a_flow_with_a_failed_child(mess: Mess, option: str) -> None:
    """What a child's failure does to its parent is the app's choice, and the same as with a Node worker."""
    async with mess.worker(), node_worker(mess.url, STOCK):
        ours, theirs = await asyncio.gather(*(_flow_fails(mess.url, queue, option) for queue in (PUSHES, STOCK)))

    assert theirs == ours


async def _flow_fails(url: str, queue: str, option: str) -> list[Any]:
    """What is seen of the parent: how its wait ends, its state and its reason."""
    child = {"name": "fail-for-good", "queueName": queue, "data": {"message": "never"}, "opts": {option: True}}
    tree = {"name": "report", "data": {"seconds": [0]}, "children": [child]}
    [flow] = await node(url, ("addFlow", queue, tree))
    parent, child_id = flow["job"]["id"], flow["children"][0]["job"]["id"]
    try:
        await node(url, ("waitUntilFinished", queue, parent, 5000))
        answer = ""
    except NodeError as error:
        answer = error.message
    found, ignored = await node(url, ("getJob", queue, parent), ("job.getIgnoredChildrenFailures", queue, parent))
    seen = [answer, found["state"], found["failedReason"], found["attemptsMade"], list(ignored.values())]
    return [str(each).replace(queue, "QUEUE").replace(child_id, "CHILD").replace(parent, "PARENT") for each in seen]


async def test_a_parent_without_its_child(mess: Mess) -> None:
    """Where the app made no choice, the parent of a failed child waits; `job.retry()` of the child sets it free."""
    child = {"name": "flaky", "queueName": PUSHES, "opts": {"attempts": 1}}
    async with mess.worker() as worker:
        [flow] = await node(mess.url, ("addFlow", PUSHES, {"name": "nap", "data": {}, "children": [child]}))
        parent, child_id = flow["job"]["id"], flow["children"][0]["job"]["id"]
        await worker.logged("job_dead", id=child_id)
        before, _, values = await node(
            mess.url,
            ("getJob", PUSHES, parent),
            ("job.retry", PUSHES, child_id),
            ("waitUntilFinished", PUSHES, parent, 5000),
        )

    assert "waiting-children" == before["state"]
    assert {"data": {}} == values


async def test_workers(mess: Mess) -> None:
    """`queue.getWorkers()`, on which dashboards build, lists each process once for each queue it serves."""
    async with mess.worker(), mess.worker(), mess.worker(QUEUES=FILES):
        pushes, files, other = await node(mess.url, *(("getWorkers", queue) for queue in (PUSHES, FILES, "other")))

    assert (2, 3, 0) == (len(pushes), len(files), len(other))
    assert 3 == len({worker["rawname"].rsplit(":", 1)[1] for worker in [*pushes, *files]})


async def test_the_apps_rate_limits(mess: Mess) -> None:
    """`queue.rateLimit(ms)` holds both wires back for that time; `setGlobalRateLimit` wins over the worker's limit."""
    async with mess.worker(PUSH_NOTIFICATIONS_RATE_MAX="100", PUSH_NOTIFICATIONS_RATE_DURATION="0.5"):
        await node(mess.url, ("rateLimit", PUSHES, 1500))
        until_ms = mess.redis.pttl(f"bull:{PUSHES}:limiter")
        held = asyncio.get_running_loop().time() + until_ms / 1000
        ids = [*await mess.bullmq("nap", {}), *mess.rq("nap", {})]
        await until(lambda: set(ids) <= mess.done())
        assert 0 <= asyncio.get_running_loop().time() - held < 0.5

        await node(mess.url, ("setGlobalRateLimit", PUSHES, 2, 500))
        await asyncio.sleep(0.6)  # what was counted before is forgotten by then
        more = [*await mess.bullmq("nap", *[{}] * 3), *mess.rq("nap", *[{}] * 3)]
        await until(lambda: set(more) <= mess.done())

    starts = sorted(line["at"] for line in mess.record if line["event"] == "start" and line["id"] in more)
    assert 6 == len(starts)
    assert starts[-1] - starts[0] > 0.95
    assert max(starts[i + 2] - starts[i] for i in range(4)) < 0.8


async def test_a_scheduler(mess: Mess) -> None:
    """A job scheduler of the app goes on as long as we take its jobs: the worker adds the next one."""
    async with mess.worker() as worker:
        await node(mess.url, ("upsertJobScheduler", PUSHES, "tick", {"every": 400}, {"name": "nap", "data": {"n": 1}}))
        done = await worker.logged("job_done", 4)
        removed, *_ = await node(mess.url, ("removeJobScheduler", PUSHES, "tick"))

    assert removed is True
    assert all(line["id"].startswith("repeat:tick:") for line in done)
    starts = [line["at"] for line in mess.record if line["event"] == "start"]
    _assert_about([0.39] * 2, [later - earlier for earlier, later in pairwise(starts)][1:3])  # the first is at once


async def test_what_is_kept(mess: Mess) -> None:
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
    """`job.retry()` runs a failed job again; the triage snippet finds its letter in `dead` and enqueues it anew."""
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


async def test_data_comes_and_goes_unchanged(mess: Mess) -> None:
    """Text of all scripts, nested lists, nulls and long numbers reach the job and come back as they were sent."""
    data = {
        "text": "żółw 🐢 \u2028 \u0000",
        "nested": {"list": [1, 2.5, None, True, {"a": []}]},
        "big": 2**53 - 1,
        "": 0,
    }

    async with mess.worker():
        results = await node(
            mess.url,
            ("addBulk", PUSHES, [{"name": "nap", "data": data | {"n": n}} for n in range(3)]),
            ("waitUntilFinished", PUSHES, None, 5000),
        )

    assert {"data": data | {"n": 2}} == results[1]


async def test_a_snooze(mess: Mess) -> None:
    """A job that asks to run later is delayed for the listeners, and no attempt is counted."""
    async with mess.worker():
        job, events, found = await node(
            mess.url,
            ("add", PUSHES, "snooze", {"seconds": [0.2, 0.2, 0]}, {"attempts": 1}),
            ("events", PUSHES, 5000, "completed"),
            ("getJob", PUSHES, None),
        )

    again = ["delayed", "waiting", "active"]
    assert ["added", "waiting", "active", *again, *again, "completed"] == of_job(job["id"], events)
    assert ({"attempt": 1}, 1) == (found["returnvalue"], found["attemptsMade"])
