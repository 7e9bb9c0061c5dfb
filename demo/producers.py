"""The producers: Node's stock bullmq (bullmq's Python package if there is no Node) and stock RQ."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import redis.asyncio
from bullmq import Job as BullJob
from bullmq import Queue as BullQueue
from rq import Queue as RQQueue
from rq.job import JobStatus

from demo.clock import show
from demo.failure import DemoError

if TYPE_CHECKING:
    from collections.abc import Sequence


HERE = Path(__file__).resolve().parent
SCRIPT = HERE / "enqueue.mjs"
PACKAGE = HERE.parent / "tests" / "node" / "node_modules" / "bullmq"
OLDEST_NODE = 20
POLL = 0.05  # seconds
PATIENCE = 30.0  # seconds


@dataclasses.dataclass(frozen=True, slots=True)
class NewJob:
    """A job to enqueue."""

    queue: str
    name: str
    data: Any


async def by_bullmq(url: str, jobs: Sequence[NewJob]) -> None:
    """Enqueue as the app does, and wait for the jobs to end."""
    node = _find_node()
    if node is None:
        show("demo", "without Node", "bullmq's Python package enqueues in place of Node's")
        await _by_python(url, jobs)
    else:
        await _by_node(node, url, jobs)


def _find_node() -> str | None:
    """The path of Node, if it is installed, new enough, and has the stock package."""
    node = shutil.which("node")
    if node is None or not PACKAGE.is_dir():
        return None
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    major = answer.strip().removeprefix("v").partition(".")[0]
    return node if major.isdecimal() and int(major) >= OLDEST_NODE else None


async def _by_node(node: str, url: str, jobs: Sequence[NewJob]) -> None:
    """Enqueue with Node's bullmq and wait, in Node, for the jobs to end."""
    request = {"url": url, "jobs": [dataclasses.asdict(job) for job in jobs]}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(node, str(SCRIPT), stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        await _converse(process, json.dumps(request).encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _converse(process: asyncio.subprocess.Process, request: bytes) -> None:
    """Send the request, show the answers, and check Node's exit status. Raises DemoError."""
    assert process.stdin and process.stdout and process.stderr  # noqa: S101, PT018 -- the process was started with pipes
    process.stdin.write(request)
    process.stdin.close()
    async for line in process.stdout:
        heard = json.loads(line)
        _tell("node", heard["event"], heard["name"], heard["id"], heard.get("detail"))
    errors = (await process.stderr.read()).decode(errors="replace").strip()
    if await process.wait() != 0:
        msg = f"Node failed:\n{errors}"
        raise DemoError(msg)


async def _by_python(url: str, jobs: Sequence[NewJob]) -> None:
    """Enqueue with bullmq's Python package, and wait for the jobs to end."""
    async with redis.asyncio.Redis.from_url(url, decode_responses=True) as connection:
        await asyncio.gather(*(_one_by_python(connection, job) for job in jobs))


async def _one_by_python(connection: redis.asyncio.Redis, new: NewJob) -> None:
    queue = BullQueue(new.queue, {"connection": connection})
    job = await queue.add(new.name, new.data)
    _tell("bullmq", "added", new.name, job.id, new.queue)
    progress = job.progress
    while not job.finishedOn:
        await asyncio.sleep(POLL)
        job = await BullJob.fromId(queue, job.id)
        if job.progress != progress:
            progress = job.progress
            _tell("bullmq", "progress", new.name, job.id, progress)
    if job.failedReason is None:
        _tell("bullmq", "completed", new.name, job.id, job.returnvalue)
    else:
        _tell("bullmq", "failed", new.name, job.id, job.failedReason)


async def by_rq(url: str, jobs: Sequence[NewJob]) -> None:
    """Enqueue with stock RQ, and wait for the jobs to end. RQ is synchronous: each job has a thread of its own."""
    with redis.Redis.from_url(url) as connection:
        await asyncio.gather(*(asyncio.to_thread(_one_by_rq, connection, job) for job in jobs))


def _one_by_rq(connection: redis.Redis, new: NewJob) -> None:
    queue = RQQueue(new.queue, connection=connection, serializer="json")
    job = queue.enqueue(new.name, new.data)
    _tell("rq", "added", new.name, job.id, new.queue)
    deadline = time.monotonic() + PATIENCE  # a thread can't be cancelled, so it has a deadline
    while job.get_status() not in {JobStatus.FINISHED, JobStatus.FAILED} and time.monotonic() < deadline:
        time.sleep(POLL)
    result = job.latest_result()
    if result is not None and result.type == result.Type.SUCCESSFUL:
        _tell("rq", "completed", new.name, job.id, result.return_value)
    else:
        # RQ stores the stack trace of a failure; its last line has the reason.
        trace = (result.exc_string if result else None) or "no result"
        _tell("rq", "failed", new.name, job.id, trace.strip().rpartition("\n")[2])


def _tell(who: str, event: str, name: str, job_id: str, detail: Any) -> None:
    """Show an event of a job, as a producer received it."""
    text = detail if isinstance(detail, str) else json.dumps(detail, ensure_ascii=False)
    show(who, event, f"{name} {job_id[:8]}: {text}")
