"""A push service that fails, beside one that works: how little its failure costs the other's users."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import pytest
from bullmq import Queue

from tests.support.polling import until
from tests.support.ports import free_port
from tests.support.push_service import Answer, PushService

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tests.support.app import App
    from tests.support.worker_process import WorkerProcess

QUEUE = "push-notifications"


@pytest.fixture
async def bad_service(vapid_keys: tuple[str, str]) -> AsyncIterator[PushService]:
    """Another push service, on another port."""
    service = PushService(vapid_keys[1], "localhost")
    await service.start()
    yield service
    await service.stop()


def users_of(app: App, service: PushService, count: int, answer: Answer) -> list[str]:
    """Users with a device each, whose pushes this service answers so."""
    users = [f"{service.origin}-{number}" for number in range(count)]
    for user in users:
        row = service.subscribe(user)
        service.answer(row, answer)
        app.subscribe(replace(row, id=user))  # rows of two services
    return users


async def push(app: App, users: Sequence[str]) -> None:
    """A job for each."""
    queue = Queue(QUEUE, {"connection": app.env["REDIS_URL"]})
    payload = {"title": "News", "body": "for you"}
    await queue.addBulk(
        [{"name": "push-notification", "data": {"userId": user, "payload": payload}, "opts": {}} for user in users]
    )
    await queue.close()


async def test_a_push_service_that_hangs_delays_no_other(
    app: App, push_service: PushService, bad_service: PushService
) -> None:
    """Others do not wait for its first timeout; after it all is handed over, in another process, too."""
    hanging = users_of(app, bad_service, 40, Answer(hang=True))
    good = users_of(app, push_service, 5, Answer())
    await push(app, [*hanging, *good])

    async with app.worker() as worker:
        await until(lambda: len(push_service.received) == len(good), 20, lambda: "the good ones wait")
        waited = len(worker.lines("push_origin_rests"))
        await worker.logged("push_origin_rests", within=20)
        requests = bad_service.requests
        await push(app, hanging)
        await _handed_over(worker, 2 * len(hanging))
        async with app.worker() as other:
            await push(app, [*hanging, *hanging])
            await until(lambda: bool(other.lines("job_done")), 10, "nothing is done")
            await until(
                lambda: len(worker.lines("push_follow_up") + other.lines("push_follow_up")) >= 4 * len(hanging),
                20,
                "they are not handed over",
            )

    assert not waited
    assert requests <= 25
    assert bad_service.requests <= requests + 1


async def _handed_over(worker: WorkerProcess, count: int) -> None:
    await until(
        lambda: len(worker.lines("push_follow_up")) >= count,
        10,
        lambda: f"{len(worker.lines('push_follow_up'))} of {count} are handed over",
    )


async def test_a_pause_is_kept_for_all_users(app: App, push_service: PushService) -> None:
    """Of thirty users only those in flight at the first two answers are tried."""
    throttled = users_of(app, push_service, 30, Answer(429, {"Retry-After": "30"}))
    await push(app, throttled)

    async with app.worker() as worker:
        await _handed_over(worker, len(throttled))
        follow_ups = worker.lines("push_follow_up")

    assert push_service.requests <= 10
    assert all(line["delay"] >= 29 for line in follow_ups)


async def test_a_push_service_that_refuses_this_server_is_named(app: App, push_service: PushService) -> None:
    """`/readyz` of the worker names it; its queues are ready all the same."""
    port = free_port()
    await push(app, users_of(app, push_service, 1, Answer(403)))

    async with app.worker(METRICS_PORT=str(port)) as worker, httpx.AsyncClient() as client:
        await worker.logged("job_dead")
        answer = await client.get(f"http://127.0.0.1:{port}/readyz")
    report = answer.json()

    assert (503, {QUEUE: True, "file-processing": True, "exports": True}) == (answer.status_code, report["queues"])
    assert {"push_services": f"push services refuse this server: {push_service.origin}"} == {
        name: trouble for name, trouble in report["servers"].items() if trouble
    }
