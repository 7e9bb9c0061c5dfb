"""A worker and the web process of a team with one job, and jobs that are added all the time."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from tests.support.api_client import FULL, SECRET
from tests.support.polling import PATIENCE, until
from tests.support.web_process import web_process
from tests.support.worker_process import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

JOBS = """
from queue_lib.jobs import Job, Model, PermanentError, Queue


class Work(Model):
    n: int


class Add(Job[Work]):
    name = "add-one"
    queue = "sums"

    async def handle(self, payload, context):
        if payload.n < 0:
            raise PermanentError("too small")
        await self.tools.cache.set(f"n:{payload.n}", str(payload.n + 1), 600)
        return {"sum": await self.tools.cache.get(f"n:{payload.n}")}


QUEUES = (Queue(name="sums", concurrency=5),)
JOBS = (Add,)
"""
ENV = {"JOBS": "jobs", "QUEUES": "sums", "LEASE_DURATION": "3"}
AT_LEAST = 10  # jobs that are added before what happens, and after it


@dataclass
class Deployment:
    """Both processes. `taken` are the jobs that the API has acknowledged, with their wires."""

    worker: WorkerProcess
    client: httpx.AsyncClient
    wires: Sequence[str]
    taken: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    @contextlib.asynccontextmanager
    async def up(cls, url: str, folder: Path, wires: Sequence[str], **env: str) -> AsyncIterator[Deployment]:
        """Start both at this Redis."""
        (folder / "jobs.py").write_text(JOBS)
        env = {**ENV, "WIRES": ",".join(wires), **env}
        web, address = web_process(url, folder, FULL, **env)
        bearer = {"Authorization": f"Bearer {SECRET}"}
        async with (
            web,
            WorkerProcess({**env, "REDIS_URL": url}, folder) as worker,
            httpx.AsyncClient(base_url=address, headers=bearer, timeout=30.0) as client,
        ):
            yield cls(worker, client, wires)

    async def _add(self, number: int, wire: str) -> None:
        options = {"jobId": f"job-{number}", "wire": wire}
        with contextlib.suppress(httpx.TransportError):
            answer = await self.client.post(
                "/queue/jobs", json={"name": "add-one", "data": {"n": number}, "options": options}
            )
            if answer.status_code == httpx.codes.ACCEPTED:
                self.taken.append((f"job-{number}", wire))

    async def _add_until(self, done: asyncio.Event) -> None:
        number = 0
        while not done.is_set():
            number += 1
            await self._add(number, self.wires[number % len(self.wires)])

    @contextlib.asynccontextmanager
    async def load(self) -> AsyncIterator[None]:
        """Add one job after the other; some are acknowledged before what happens, and some after it."""
        done = asyncio.Event()
        adding = asyncio.create_task(self._add_until(done))
        try:
            await self.more()
            yield
            await self.more()
        finally:
            done.set()
            await adding

    async def more(self) -> None:
        """Wait for further jobs."""
        before = len(self.taken)
        await until(lambda: len(self.taken) >= before + AT_LEAST, PATIENCE, lambda: self.taken)

    async def completed(self, jobs: Sequence[tuple[str, str]]) -> None:
        """Wait until each of these jobs has completed."""

        async def look() -> Any:
            asked = [await self.client.get(f"/queue/jobs/{each}?queue=sums&wire={wire}") for each, wire in jobs]
            return all(each.status_code == httpx.codes.OK and each.json()["state"] == "completed" for each in asked)

        await until(look, PATIENCE, lambda: self.worker.stdout[-2000:])
