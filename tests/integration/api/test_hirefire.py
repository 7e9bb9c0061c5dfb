"""What autoscalers ask: how long jobs have waited for each process type, behind a token of its own."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from processors.features import FEATURES
from queue_lib import wiring
from queue_lib.errors import ConfigurationError
from queue_lib.settings import WorkerSettings, load
from queue_lib.web.api.app import build
from queue_lib.web.settings import ApiSettings
from tests.support.api_client import FULL, JOB, PUSH, SECRET, Client, client_of
from tests.support.exposition import Exposition
from tests.support.queues import QUEUES
from tests.support.wire_kit import redis_kit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

TOKEN = "hirefire-token-0123456789"
HEADER = {"HireFire-Token": TOKEN}
FILES = next(queue for queue in QUEUES if queue.name == "file-processing")


@pytest.fixture
async def asking(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    """A client of an application with HIREFIRE_TOKEN."""
    monkeypatch.setenv("REDIS_URL", redis_url)
    [settings] = load(WorkerSettings)
    admin = partial(wiring.admin, settings, FEATURES, by="api")
    async with client_of(build(admin, [FULL], rate=100, hirefire_token=TOKEN)) as client:
        yield client


async def loads(asking: Client) -> dict[str, float]:
    """The value of each process type."""
    answer = await asking("GET", "/hirefire", headers=HEADER)
    assert 200 == answer.status_code, answer.text
    return {each["name"]: each["value"] for each in answer.json()}


def needed(values: dict[str, float]) -> set[str]:
    """The types with something to do, which is at least 1."""
    assert all(value == 0 or value >= 1 for value in values.values()), values
    return {name for name, value in values.items() if value}


async def test_each_process_type_has_a_value(asking: Client) -> None:
    """`worker` has all queues, and each WORKER_TYPE its own; a job that waits counts for one second at least."""
    idle = await loads(asking)
    assert dict.fromkeys(["worker", "worker-light", "worker-medium", "worker-heavy"], 0.0) == idle

    await asking("POST", "/queue/jobs", json=JOB)
    assert {"worker", "worker-heavy"} == needed(await loads(asking))

    await asking("POST", "/queue/jobs", json={**PUSH, "options": {"wire": "rq"}})
    metrics = Exposition((await asking("GET", "/metrics")).text)
    assert {"worker", "worker-light", "worker-heavy"} == needed(await loads(asking))
    assert 0 == metrics("pushmill_load_seconds", type="medium")
    assert 1 <= min(metrics("pushmill_load_seconds", type=kind) for kind in ("all", "light", "heavy"))
    assert [0] * 4 == [metrics("pushmill_worker_processes", type=kind) for kind in ("all", "light", "medium", "heavy")]


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_a_job_that_runs_keeps_its_process(asking: Client, redis_url: str, wire: str) -> None:
    """No autoscaler may end the last process under it, though nothing waits, and the queue is paused."""
    await asking("POST", "/queue/jobs", json={**JOB, "options": {"wire": wire}})
    async with redis_kit(redis_url, wire) as kit:
        broker = await kit.broker(queues=(FILES,))
        lease = await kit.claim(broker, FILES)
        await asking("POST", "/queue/pause?queue=file-processing")
        running = await loads(asking)
        await lease.done("ok")
        idle = await loads(asking)

    assert (1.0, 0.0) == (running["worker-heavy"], running["worker-light"])
    assert {0.0} == set(idle.values())


async def test_a_paused_queue_needs_no_process(asking: Client) -> None:
    """More of them would not work off what waits."""
    await asking("POST", "/queue/jobs", json=JOB)
    await asking("POST", "/queue/pause?queue=file-processing")

    assert {0.0} == set((await loads(asking)).values())


@pytest.mark.parametrize("path", ["/hirefire", f"/hirefire/{TOKEN}x/info", f"/hirefire/{SECRET}/info"])
@pytest.mark.parametrize("headers", [{}, {"HireFire-Token": ""}, {"HireFire-Token": f"{TOKEN}x"}])
async def test_another_token_finds_nothing(asking: Client, path: str, headers: dict[str, str]) -> None:
    """Also a token of the API; the answer does not repeat it."""
    answer = await asking("GET", path, headers=headers)

    assert 404 == answer.status_code
    assert not any(secret in answer.text for secret in (TOKEN, SECRET))


async def test_the_token_may_be_in_the_address(asking: Client) -> None:
    """As HireFire's older clients have it."""
    answer = await asking("GET", f"/hirefire/{TOKEN}/info")

    assert (200, "worker") == (answer.status_code, answer.json()[0]["name"])


async def test_without_the_setting_nobody_may_ask(ask: Client) -> None:
    """An empty token is none."""
    answers: list[Any] = [await ask("GET", "/hirefire", headers={"HireFire-Token": token}) for token in ("", "None")]

    assert [404, 404] == [answer.status_code for answer in answers]


def test_a_token_that_can_be_guessed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line does not repeat it."""
    monkeypatch.setenv("HIREFIRE_TOKEN", "secret")
    monkeypatch.setenv("API_TOKENS", "app:full:" + 64 * "0")
    with pytest.raises(ConfigurationError, match="HIREFIRE_TOKEN: ") as refused:
        load(ApiSettings)

    assert "secret" not in str(refused.value)
