"""Events that a Next.js app's listeners get of a job that our worker runs: the same as from a Node worker.

What a Node worker does is pinned in test_node_kit.py; where a test needs more of it, a Node worker runs beside ours.
"""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.chaos_worker import PUSHES
from tests.support.node import STOCK, node, node_worker

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.wires import Mess

pytestmark = pytest.mark.usefixtures("node_modules")


def of_job(job_id: str, events: Iterable[dict[str, Any]]) -> list[str]:
    """The names of one job's events, in order."""
    return [event["event"] for event in events if event.get("jobId") == job_id]


async def test_events_of_a_success(mess: Mess) -> None:
    """Listeners get the same events as from a Node worker; the job has its log and its worker's name."""
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
    """A PermanentError has the effect of a Node worker's UnrecoverableError."""
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


async def test_a_snooze(mess: Mess) -> None:
    """For the listeners a snoozed job is delayed; no attempt is counted."""
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
