"""A failover beneath `python worker.py` and `python web.py`: both go on with the new primary, and lose no job."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import redis

from tests.support.api_client import FULL, SECRET
from tests.support.failover import Pair
from tests.support.polling import BUSY, until
from tests.support.under_load import AT_LEAST, Deployment
from tests.support.web_process import web_process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.app import App
    from tests.support.push_service import PushService

WIRES = ("bullmq", "rq")
USERS = [f"user-{number}" for number in range(5)]
PACE = 0.4  # seconds that a push takes: some run, and some wait, when Redis fails over
# What was written to the old primary in the last moment is not on the new one: such a job is recovered by its lease.
LEASE = 2.0
TWO_AT_ONCE = {"PUSH_NOTIFICATIONS_CONCURRENCY": "2"}
BACK_WITHIN = 20.0 + BUSY  # seconds


@contextlib.asynccontextmanager
async def web_of(app: App, pair: Pair) -> AsyncIterator[httpx.AsyncClient]:
    """The web process, as a client with a token sees it."""
    web, url = web_process(pair.link.url, app.folder, FULL)
    client = httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {SECRET}"}, timeout=40.0)
    async with web, client:
        yield client


async def submit(client: httpx.AsyncClient, wire: str, user: str) -> str:
    """Submit a push; returns the path of its state."""
    data = {"userId": user, "payload": {"title": wire, "body": user}}
    answer = await client.post(
        "/queue/jobs", json={"name": "push-notification", "data": data, "options": {"wire": wire}}
    )
    assert answer.status_code == 202, answer.text
    return str(answer.headers["location"])


async def completed(client: httpx.AsyncClient, where: list[str]) -> dict[str, Any]:
    """The jobs, once all have completed."""
    jobs: dict[str, Any] = {}

    async def look() -> dict[str, Any]:
        answers = [await client.get(each) for each in where]
        jobs.update({each: answer.json() for each, answer in zip(where, answers, strict=True)})
        return jobs if all(job.get("state") == "completed" for job in jobs.values()) else {}

    return await until(look, BACK_WITHIN, lambda: jobs)


async def waited(client: httpx.AsyncClient, where: str) -> httpx.Response:
    """The answer to a client that waits for the end of a job: the first one, if the machine is not busy."""
    for _ in range(3):
        answer = await client.get(f"{where}&wait=25")
        if answer.json().get("state") not in {"waiting", "active"}:
            break
    return answer


async def replicated(pair: Pair) -> None:
    """Wait until the replica has what the primary has."""
    with redis.Redis.from_url(pair.primary.url, single_connection_client=True) as primary:
        primary.incr("replicated")  # WAIT waits for what this connection has written, and for all before it
        assert 1 == await asyncio.to_thread(primary.wait, 1, 5000)


async def test_both_processes_go_on_with_the_new_primary(app: App, push_service: PushService) -> None:
    """Jobs that wait and run at the failover are done, and so are later ones, by the same two processes.

    The connections that are open stay open, and lead to the old primary, which is read-only from then on.
    """
    for user in [*USERS, "late"]:
        app.subscribe(push_service.subscribe(user))
    push_service.pace = PACE
    async with Pair.up() as pair, web_of(app, pair) as client:
        early = [await submit(client, wire, user) for user in USERS for wire in WIRES]
        waiting = asyncio.create_task(waited(client, early[-1]))
        async with app.worker(REDIS_URL=pair.link.url, LEASE_DURATION=f"{LEASE}", **TWO_AT_ONCE) as worker:
            await until(lambda: push_service.received)
            await replicated(pair)
            done_before = len(push_service.received)
            await pair.fail_over()
            late = [await submit(client, wire, "late") for wire in WIRES]
            jobs = await completed(client, [*early, *late])
            status, _ = await worker.terminate(10.0 + BUSY)
        waited_for, ready = await waiting, await client.get("/readyz")

    texts = {(push.json["title"], push.json["body"]) for push in push_service.received}
    assert 0 < done_before < len(early)
    assert {(wire, user) for wire in WIRES for user in [*USERS, "late"]} == texts
    assert {1} == {job["attemptsMade"] for job in jobs.values()}
    assert (200, "completed") == (waited_for.status_code, waited_for.json()["state"])
    assert (200, 0, "") == (ready.status_code, status, worker.stderr)
    assert [] == worker.lines("job_dead") + worker.lines("not_signed_off")


@pytest.mark.matrix
@pytest.mark.parametrize("is_killed", [True, False])
async def test_a_replica_is_promoted_under_load(tmp_path: Path, is_killed: bool) -> None:
    """The primary is killed, or demoted. What the replica had is done; the worker goes on by itself."""
    async with Pair.up() as pair, Deployment.up(pair.link.url, tmp_path, WIRES) as deployment:
        async with deployment.load():
            had = list(deployment.taken)
            await replicated(pair)
            if is_killed:
                await asyncio.to_thread(pair.primary.kill)
                pair.promote()
            else:
                await pair.fail_over()
        await deployment.completed(had + deployment.taken[-AT_LEAST:])
        status, _ = await deployment.worker.terminate(10.0 + BUSY)

    assert {"bullmq", "rq"} == {wire for _, wire in had}
    assert 0 == status
