"""Three deployments on one Redis, one for each WORKER_TYPE, started and ended as an autoscaler would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
from rq import Queue as Lane

from tests.support.api_client import FULL, SECRET
from tests.support.exposition import Exposition
from tests.support.node import node
from tests.support.polling import BUSY, PATIENCE, until
from tests.support.web_process import web_process
from tests.support.worker_process import WorkerProcess

if TYPE_CHECKING:
    from tests.support.wires import Mess

TYPES = ("light", "medium", "heavy")
TOKEN = "hirefire-token-0123456789"
AT_ONCE = 12  # jobs of each queue and wire
JOBS = """
import asyncio
from pathlib import Path

from queue_lib.jobs import Job, Model, Queue


class Work(Model):
    until: str | None = None


async def wait_for(payload):
    while payload.until and not Path(payload.until).exists():
        await asyncio.sleep(0.05)


class Light(Job[Work]):
    name = "light-job"
    queue = "light-work"

    async def handle(self, payload, context):
        await wait_for(payload)


class Medium(Light):
    name = "medium-job"
    queue = "medium-work"


class Heavy(Light):
    name = "heavy-job"
    queue = "heavy-work"


QUEUES = (
    Queue(name="light-work", profile="light"),
    Queue(name="medium-work"),
    Queue(name="heavy-work", profile="heavy"),
)
JOBS = (Light, Medium, Heavy)
"""


class Autoscaler:
    """Runs one process of a deployment while `/hirefire` has a value above zero for it, and none otherwise."""

    def __init__(self, mess: Mess, client: httpx.AsyncClient) -> None:
        """Nothing runs yet."""
        self._mess = mess
        self._client = client
        self.running: dict[str, WorkerProcess] = {}
        self.ended: list[tuple[str, WorkerProcess, int]] = []

    async def values(self) -> dict[str, float]:
        """What each type has to do."""
        answer = await self._client.get("/hirefire", headers={"HireFire-Token": TOKEN})
        found = {each["name"]: each["value"] for each in answer.raise_for_status().json()}
        return {kind: found[f"worker-{kind}"] for kind in TYPES}

    async def scale(self) -> set[str]:
        """Start and end processes; returns the types that run."""
        for kind, value in (await self.values()).items():
            if value > 0 and kind not in self.running:
                self.running[kind] = WorkerProcess(env(self._mess, kind), self._mess.folder)
                await self.running[kind].start()
            elif value == 0 and kind in self.running:
                worker = self.running.pop(kind)
                await worker.started()  # before that a signal ends it, as any program
                self.ended.append((kind, worker, (await worker.terminate(10.0 + BUSY))[0]))
        return set(self.running)

    async def close(self) -> None:
        """End what still runs."""
        for worker in self.running.values():
            await worker.kill()


def env(mess: Mess, kind: str) -> dict[str, str]:
    """What a deployment has."""
    return {"REDIS_URL": mess.url, "JOBS": "jobs", "WORKER_TYPE": kind, "LEASE_DURATION": "5"}


async def add(mess: Mess, kind: str, count: int, data: dict[str, Any] | None = None) -> None:
    """Add so many jobs on each wire, by stock Node and stock RQ."""
    queue, name = f"{kind}-work", f"{kind}-job"
    await node(mess.url, *[("add", queue, name, data or {})] * count)
    lane = Lane(queue, connection=mess.redis, serializer="json")
    for _ in range(count):
        lane.enqueue(name, data or {})


async def test_from_nothing_to_three_deployments_and_back(mess: Mess, node_modules: object) -> None:
    """Each job runs in its own deployment; each appears by name; none is ended under a job that runs."""
    del node_modules
    (mess.folder / "jobs.py").write_text(JOBS)
    process, url = web_process(mess.url, mess.folder, FULL, JOBS="jobs", HIREFIRE_TOKEN=TOKEN)
    async with process, httpx.AsyncClient(base_url=url, timeout=30.0) as client:
        scaler = Autoscaler(mess, client)
        try:
            await runs_through(mess, client, scaler)
        finally:
            await scaler.close()

    lines = [(kind, line["queue"]) for kind, worker, _ in scaler.ended for line in worker.lines("job_done")]
    assert {(kind, f"{kind}-work") for kind in TYPES} == set(lines)
    assert 2 * AT_ONCE * 2 + 2 == len(lines)
    assert [0] * len(scaler.ended) == [status for _, _, status in scaler.ended]


async def runs_through(mess: Mess, client: httpx.AsyncClient, scaler: Autoscaler) -> None:
    """Nothing; light and medium jobs; a heavy one that goes on for longer; nothing."""
    assert set() == await scaler.scale()

    for kind in ("light", "medium"):
        await add(mess, kind, AT_ONCE)
    assert {"light", "medium"} == await scaler.scale()

    film = mess.folder / "film"
    await add(mess, "heavy", 1, {"until": str(film)})
    await until(lambda: _only(scaler, "heavy"), PATIENCE)
    await scaler.running["heavy"].started()
    await until(lambda: _busy(client), PATIENCE)
    assert {"heavy"} == await scaler.scale()
    assert {"light": 0.0, "medium": 0.0, "heavy": 1.0} == await scaler.values()
    await named(client, "heavy")

    film.touch()
    await until(lambda: _only(scaler), PATIENCE)


async def _only(scaler: Autoscaler, *kinds: str) -> Any:
    return await scaler.scale() == set(kinds)


async def _busy(client: httpx.AsyncClient) -> Any:
    """Whether both films run, and a heartbeat has said so."""
    [worker] = [each for each in await workers(client) if each["workerType"] == ["heavy"]] or [{"running": []}]
    return len(worker["running"]) == 2


async def workers(client: httpx.AsyncClient) -> list[Any]:
    """The processes that have sent a heartbeat."""
    answer = await client.get("/queue/workers", headers={"Authorization": f"Bearer {SECRET}"})
    return list(answer.raise_for_status().json())


async def named(client: httpx.AsyncClient, kind: str) -> None:
    """The API, the metrics and the dashboard say of which type the process is."""
    bearer = {"Authorization": f"Bearer {SECRET}"}
    stats = (await client.get("/queue/stats", headers=bearer)).json()["queues"]
    profiles = {each["queue"]: each["profile"] for each in stats}
    metrics = Exposition((await client.get("/metrics", headers=bearer)).text)
    assert {f"{kind}-work": kind for kind in TYPES}.items() <= profiles.items()
    assert (1, 0, 0) == tuple(metrics("pushmill_worker_processes", type=each) for each in (kind, "light", "medium"))
    assert 1 == metrics("pushmill_load_seconds", type=kind)
    page = (await client.get("/admin/queues/workers", headers=bearer)).text
    assert f"<dt>Type</dt><dd>{kind}</dd>" in page
