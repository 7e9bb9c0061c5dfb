"""Faults that are not the client's: Redis is away, or our code has a bug."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from processors.features import FEATURES
from queue_lib import wiring
from queue_lib.admin.dead_letters import DeadLetterAdmin
from queue_lib.admin.queues import QueueAdmin
from queue_lib.observe.events import Event, InternalFault
from queue_lib.settings import WorkerSettings, load
from queue_lib.web.api import problems
from queue_lib.web.api.app import build
from tests.support.api_client import FULL, JOB, SECRET, Client, client_of
from tests.support.exposition import Exposition

if TYPE_CHECKING:
    import pytest

HIREFIRE = "hirefire-token-0123456789"


async def test_redis_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer says so, and when to come back; the process goes on."""
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    [settings] = load(WorkerSettings)
    away = build(partial(wiring.admin, settings, FEATURES, by="api"), [FULL], rate=5, hirefire_token=HIREFIRE)
    async with client_of(away) as ask:
        answers = [
            await ask("GET", "/queue/stats"),
            await ask("POST", "/queue/jobs", json=JOB),
            await ask("GET", "/readyz"),
            await ask("GET", "/hirefire", headers={"HireFire-Token": HIREFIRE}),  # 0 would end all workers
        ]
        alive = await ask("GET", "/healthz")

    assert [(503, "5")] * 4 == [(answer.status_code, answer.headers["retry-after"]) for answer in answers]
    assert 200 == alive.status_code


async def test_a_fault_of_ours_shows_nothing(ask: Client, faults: list[Event], monkeypatch: pytest.MonkeyPatch) -> None:
    """The log has the stack trace, the observer gets the fault, and the client gets one sentence."""
    logged: list[tuple[str, Any]] = []
    told = SimpleNamespace(error=lambda event, exc_info, **_: logged.append((event, exc_info)))
    monkeypatch.setattr(problems, "_log", told)

    async def broken(_: DeadLetterAdmin) -> int:
        msg = "secret"
        raise LookupError(msg)

    monkeypatch.setattr(DeadLetterAdmin, "count", broken)
    answer = await ask.http.get("/queue/stats", headers={"Authorization": f"Bearer {SECRET}"})

    assert (500, "application/problem+json") == (answer.status_code, answer.headers["content-type"])
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert [("api_fault", LookupError)] == [(event, type(error)) for event, error in logged]
    [fault] = faults
    assert isinstance(fault, InternalFault)
    assert ("api_fault", "LookupError") == (fault.word, fault.failure.kind)


async def test_a_fault_of_ours_is_counted(ask: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """From 0, so that Prometheus sees the first one as an increase."""
    before = Exposition((await ask("GET", "/metrics")).text)
    monkeypatch.setattr(problems, "_log", SimpleNamespace(error=lambda *_, **__: None))
    monkeypatch.setattr(QueueAdmin, "pause", None)
    await ask.http.post("/queue/pause?queue=file-processing", headers={"Authorization": f"Bearer {SECRET}"})
    after = Exposition((await ask("GET", "/metrics")).text)

    assert [0, 1] == [read("pushmill_faults_total", event="api_fault") for read in (before, after)]
