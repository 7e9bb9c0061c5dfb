"""Clients of the API that wait for a job: by a long poll, or by its events."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
import redis

from queue_lib import wiring
from queue_lib.admin.jobs import JobAdmin
from queue_lib.errors import BrokerUnavailableError
from queue_lib.outcome import Failure
from queue_lib.web.api import events, watch
from tests.support.api_client import JOB, Client
from tests.support.polling import PATIENCE, until
from tests.support.wire_kit import WireKit, queue, redis_kit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from queue_lib.broker.base import Broker, Lease

FILES = queue(name="file-processing")
FAILURE = Failure("no image", "Traceback: no image")


@pytest.fixture(params=["bullmq", "rq"])
async def kit(request: pytest.FixtureRequest, redis_url: str) -> AsyncIterator[WireKit]:
    """Each wire in turn."""
    async with redis_kit(redis_url, request.param) as kit:
        yield kit


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The events of jobs that clients were sent, as text."""
    texts, event = list[str](), events._event

    async def note(*arguments: Any) -> tuple[str, bool]:
        text, has_ended = await event(*arguments)
        texts.append(text)
        return text, has_ended

    monkeypatch.setattr(events, "_event", note)
    return texts


async def submitted(ask: Client, kit: WireKit, **options: Any) -> str:
    """Submit a job; returns its path."""
    body = {**JOB, "options": {"wire": kit.name, **options}}
    return str((await ask("POST", "/queue/jobs", json=body)).headers["location"])


async def claimed(kit: WireKit) -> Lease:
    """The job, as a worker claims it."""
    broker: Broker = await kit.broker([FILES])
    return await kit.claim(broker, FILES)


async def read(ask: Client, where: str, **headers: str) -> list[dict[str, Any]]:
    """All events of a job, until the answer ends; a comment has the name `comment`."""
    answer = await ask("GET", where.replace("?", "/events?"), headers=headers)
    assert "text/event-stream; charset=utf-8" == answer.headers["content-type"]
    first, *blocks = answer.text.strip().split("\n\n")
    assert "retry: 1000" == first
    return [parsed(block) for block in blocks]


def parsed(block: str) -> dict[str, Any]:
    """The parts of an event."""
    fields = dict(line.split(": ", 1) for line in block.split("\n"))
    return {"event": fields.get("event", "comment"), "mark": fields.get("id"), **json.loads(fields.get("data", "{}"))}


@pytest.mark.parametrize("failure", [None, FAILURE])
async def test_a_result_is_waited_for(ask: Client, kit: WireKit, failure: Failure | None) -> None:
    """The answer comes when the job has ended, however it ends, and not before."""
    where = await submitted(ask, kit)
    waiting = asyncio.create_task(ask("GET", f"{where}&wait=20"))
    lease = await claimed(kit)
    await asyncio.sleep(2 * watch.EVERY)
    assert not waiting.done()
    await (lease.done({"url": "u"}) if failure is None else lease.bury(failure))
    ended = time.monotonic()

    job = (await waiting).json()

    assert time.monotonic() - ended < 10
    expected = ("completed", {"url": "u"}, None) if failure is None else ("failed", None, failure.reason)
    assert expected == (job["state"], job["result"], job["reason"])


async def test_a_wait_has_an_end(ask: Client, kit: WireKit) -> None:
    """After the given seconds the answer is the job as it is; an unknown job is not waited for."""
    where = await submitted(ask, kit)
    since = time.monotonic()
    slow = (await ask("GET", f"{where}&wait=1")).json()
    assert ("waiting", True) == (slow["state"], 0.9 < time.monotonic() - since < 10)
    assert 422 == (await ask("GET", f"{where}&wait=26")).status_code

    waiting = asyncio.create_task(ask("GET", f"{where}&wait=20"))
    await asyncio.sleep(2 * watch.EVERY)
    await ask("DELETE", where)
    assert 404 == (await waiting).status_code


async def test_a_hundred_clients_wait_on_the_same_few_connections(ask: Client, redis_url: str) -> None:
    """They share one look at all their jobs, and no client has a connection of its own."""
    async with redis_kit(redis_url, "bullmq") as kit:
        places = [await submitted(ask, kit, wire=wire) for wire in ("bullmq", "rq") for _ in range(5)]
        with redis.Redis.from_url(redis_url) as server:
            waits = [asyncio.create_task(ask("GET", f"{where}&wait=10")) for where in places * 10]
            followed = ask.app.state.watch._followed
            await until(lambda: len(followed) == 100 and all(each._known for each in followed))

            async with asyncio.timeout(PATIENCE):
                while not await _costs_little(server):  # so it is once all have looked
                    pass
            ours = [each for each in server.client_list() if each["name"].startswith("pushmill:admin")]
        ask.app.state.watch.close()
        answers = await asyncio.gather(*waits)

    assert {"waiting"} == {answer.json()["state"] for answer in answers}
    assert len(ours) <= wiring.ADMIN_THREADS + 2


async def _costs_little(server: redis.Redis) -> bool:
    """Whether a second costs what reading ten jobs each time costs, and not a hundred."""
    before = server.info("stats")["total_commands_processed"]
    await asyncio.sleep(1)
    spent: float = server.info("stats")["total_commands_processed"] - before
    return spent <= 10 / watch.EVERY * 1.5 + 5


async def test_progress_comes_as_events(ask: Client, kit: WireKit, sent: list[str]) -> None:
    """Each step, with the job as it is then; at last its ending and result."""
    where = await submitted(ask, kit)
    reading = asyncio.create_task(read(ask, where))
    await until(lambda: sent)
    lease = await claimed(kit)
    await lease.progress(40)
    await until(lambda: '"progress":40' in sent[-1])
    await lease.done({"url": "u"})

    told = await reading

    assert ("progress", "waiting") == (told[0]["event"], told[0]["state"])
    assert ("progress", "active", 40) == (told[-2]["event"], told[-2]["state"], told[-2]["progress"])
    assert ("completed", "completed", {"url": "u"}) == (told[-1]["event"], told[-1]["state"], told[-1]["result"])
    assert len(told) == len({each["mark"] for each in told}) <= 4
    assert not {"data", "log", "stack", "failures"} & set(told[-1])


async def test_a_client_that_reconnects_gets_new_events_only(ask: Client, kit: WireKit, sent: list[str]) -> None:
    """Nothing twice. A client that missed the end gets it; one that has had it gets 204."""
    where = await submitted(ask, kit)
    lease = await claimed(kit)
    cut_off = asyncio.create_task(read(ask, where))
    await until(lambda: sent)
    ask.app.state.watch.close()
    [active] = [each for each in await cut_off if each["event"] != "comment"]
    ask.app.state.watch.is_closed = False
    again = asyncio.create_task(read(ask, where, **{"Last-Event-ID": active["mark"]}))
    await until(lambda: (followed := ask.app.state.watch._followed) and all(each._known for each in followed))
    await lease.bury(FAILURE)
    told = [each for each in await again if each["event"] != "comment"]
    late = await read(ask, where, **{"Last-Event-ID": active["mark"]})
    known = await ask("GET", where.replace("?", "/events?"), headers={"Last-Event-ID": late[0]["mark"]})

    assert ["failed"] == [each["event"] for each in told] == [each["event"] for each in late]
    assert "no image" == told[0]["reason"]
    assert (204, "") == (known.status_code, known.text)


async def test_events_of_a_job_that_is_removed(ask: Client, kit: WireKit, sent: list[str]) -> None:
    """The removal is the last event."""
    where = await submitted(ask, kit)
    reading = asyncio.create_task(read(ask, where))
    await until(lambda: sent)
    await ask("DELETE", where)

    assert ["progress", "gone"] == [each["event"] for each in await reading]
    assert 404 == (await ask("GET", where.replace("?", "/events?"))).status_code


async def test_a_stream_sends_comments_and_ends(ask: Client, kit: WireKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Comments while nothing happens, so that no proxy cuts it; after its lifetime the client has to reconnect."""
    monkeypatch.setattr(events, "HEARTBEAT", 0.2)
    monkeypatch.setattr(events, "LIFETIME", 1.2)
    where = await submitted(ask, kit)

    told = [each["event"] for each in await read(ask, where)]

    assert ["progress"] == [each for each in told if each != "comment"]
    assert 1 <= told.count("comment") <= 7


async def test_a_lost_redis_is_waited_for(ask: Client, kit: WireKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events that happen while the server is away are sent when it is back."""
    where = await submitted(ask, kit)
    find, answers = JobAdmin.find, iter(["the route's", "away", "back"])
    found: list[str | None] = []

    async def find_or_fail(self: JobAdmin, *place: Any) -> Any:
        answer = next(answers, None)
        if answer == "away":
            msg = "away"
            raise BrokerUnavailableError(msg)
        jobs = await find(self, *place)
        found.append(answer)
        return jobs

    monkeypatch.setattr(JobAdmin, "find", find_or_fail)
    reading = asyncio.create_task(read(ask, where))
    await until(lambda: "back" in found)
    await (await claimed(kit)).done(None)

    assert ["progress", "completed"] == [(told := await reading)[0]["event"], told[-1]["event"]]


async def test_waiting_clients_are_bounded(ask: Client, kit: WireKit) -> None:
    """One more gets 'come back', and can ask for the job without waiting."""
    ask.app.state.watch._most = 2
    where = await submitted(ask, kit)
    waits = [asyncio.create_task(ask("GET", f"{where}&wait=20")) for _ in range(2)]
    await until(lambda: len(ask.app.state.watch._followed) == 2)

    for refused in (await ask("GET", f"{where}&wait=1"), await ask("GET", where.replace("?", "/events?"))):
        assert (503, "5") == (refused.status_code, refused.headers["retry-after"])
        assert "too many clients wait" in refused.json()["detail"]
    assert 200 == (await ask("GET", where)).status_code
    await (await claimed(kit)).done(None)
    await asyncio.gather(*waits)
    assert 200 == (await ask("GET", f"{where}&wait=1")).status_code


async def test_redis_is_not_asked_without_waiting_clients(ask: Client, kit: WireKit) -> None:
    """Polling ends when the last client leaves."""
    where = await submitted(ask, kit)
    await ask("GET", f"{where}&wait=1")
    await asyncio.sleep(2 * watch.EVERY)

    assert "watch" not in {task.get_name() for task in asyncio.all_tasks()}
