"""One queue whose keys have wrong types: it reports that, and the other queues go on."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
import redis

from queue_lib import wiring
from queue_lib.errors import BrokerRefusedError, Trouble
from queue_lib.job import Wire
from queue_lib.observe.events import JobsRecovered
from queue_lib.processor import Registry
from queue_lib.settings import WorkerSettings, load
from tests.support.api_client import Client, api, client_of
from tests.support.dashboard_client import browser_of, built
from tests.support.exposition import Exposition
from tests.support.polling import until
from tests.support.queues import QUEUES
from tests.support.wire_kit import QUEUE, queue, redis_kit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PUSHES, FILES = (each.name for each in QUEUES[:2])
WORDS = "a key in Redis has the wrong type"
PUSH = {"name": "push-notification", "data": {"userId": "u1", "payload": {"title": "Hello", "body": "there"}}}
KEYS = {
    "wait": f"bull:{FILES}:wait",
    "completed": f"bull:{FILES}:completed",
    "meta": f"bull:{FILES}:meta",
    "lane": f"rq:queue:{FILES}",
    "finished": f"rq:finished:{FILES}",
    "letters": "bull:dead:wait",
}


@pytest.fixture(params=sorted(KEYS))
def broken(request: pytest.FixtureRequest, redis_url: str) -> str:
    """A key of the files' queue, or of the dead letters, has another type."""
    with redis.Redis.from_url(redis_url) as connection:
        connection.set(KEYS[request.param], "nothing of ours")
    return str(request.param)


@pytest.fixture
async def ask(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    """A client of the API."""
    async with client_of(api(redis_url, monkeypatch)) as ask:
        yield ask


async def test_the_api_answers_for_the_other_queue(ask: Client, broken: str) -> None:
    """Its statistics, metrics and jobs are as before; the broken queue shows its trouble."""
    assert 200 == (await ask("GET", "/readyz")).status_code
    answer = await ask("GET", "/queue/stats")
    stats = {each["queue"]: each for each in answer.json()["queues"]}
    metrics = Exposition((await ask("GET", "/metrics")).text)
    added = await ask("POST", "/queue/jobs", json=PUSH)
    job = await ask("GET", added.headers["location"].partition("?")[0])

    assert (200, None, {"bullmq", "rq"}) == (answer.status_code, stats[PUSHES]["trouble"], set(stats[PUSHES]["wires"]))
    assert (WORDS if broken != "letters" else None) == stats[FILES]["trouble"]
    assert (broken == "letters") == (answer.json()["deadLetters"] is None)
    assert (1, broken != "letters") == (
        metrics("pushmill_redis_up"),
        bool(metrics("pushmill_redis_trouble", trouble="wrong_type")),
    )
    assert (202, 200) == (added.status_code, job.status_code)


async def test_the_overview_shows_the_other_queue(redis_url: str, broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The broken queue has an alarm."""
    web, _ = built(redis_url, monkeypatch)
    async with web.router.lifespan_context(web), browser_of(web) as browser:
        await browser.sign_in()
        page = await browser.get("/")
        other = await browser.get(f"/queue/{PUSHES}")

    assert (200, 200) == (page.status_code, other.status_code)
    assert (broken != "letters") == (WORDS[1:] in page.text)
    assert f'id="queue-{PUSHES}"' in page.text


async def test_the_loops_of_the_others_go_on(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the loop that claims from the broken keys takes no jobs, and it says why."""
    monkeypatch.setenv("REDIS_URL", redis_url)
    with redis.Redis.from_url(redis_url) as connection:
        connection.set(KEYS["wait"], "nothing of ours")
    [settings] = load(WorkerSettings)
    launcher = wiring.launcher(settings, QUEUES, Registry([]))
    await launcher.start()
    try:
        await until(
            lambda: (
                {(each.queue, each.wire, each.redis) for each in launcher.states() if each.trouble}
                == {(FILES, Wire.BULLMQ, Trouble.WRONG_TYPE)}
            ),
            20.0,
            launcher.states,
        )
    finally:
        await launcher.stop(5.0)


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_lost_jobs_of_the_others_are_recovered(redis_url: str, wire: str) -> None:
    """Even if an earlier queue has keys of wrong types; the error is reported."""
    async with redis_kit(redis_url, wire) as kit:
        broker = await kit.broker([queue(name="first"), QUEUE], lease_duration=1.0)
        await kit.enqueue("greet", 1)
        await kit.claim(broker)
        with redis.Redis.from_url(redis_url) as connection:
            for key in ("bull:first:active", "bull:first:stalled", "rq:wip:first", "rq:queue:first:intermediate"):
                connection.set(key, "nothing of ours")

        refusals: list[str] = []

        async def recovered() -> Any:
            try:
                await kit.chore(broker, "recover jobs")
            except BrokerRefusedError as error:
                refusals.append(str(error))
            return bool(kit.events)

        await until(recovered, 20.0)
        assert WORDS in refusals[0]
        assert [QUEUE.name] == [event.queue for event in kit.events if isinstance(event, JobsRecovered)]


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_leases_of_the_others_are_renewed(redis_url: str, wire: str) -> None:
    """Even if those of an earlier queue can't be."""
    async with redis_kit(redis_url, wire) as kit:
        broker = await kit.broker([queue(name="first"), QUEUE], lease_duration=60.0)
        await kit.enqueue("greet", 1)
        lease = await kit.claim(broker)
        with redis.Redis.from_url(redis_url) as connection:
            if wire == "bullmq":
                other = copy.copy(lease)
                other.queue, other.key = queue(name="first"), "1"  # type: ignore[attr-defined]
                broker._held.add(other)  # type: ignore[attr-defined]
                connection.set("bull:first:stalled", "nothing of ours")
                connection.set("bull:first:1:lock", lease.token)  # type: ignore[attr-defined]
                connection.pexpire(f"bull:{QUEUE.name}:{lease.job.id}:lock", 20_000)
            else:
                member = lease.execution.composite_key  # type: ignore[attr-defined]
                connection.zadd(f"rq:wip:{QUEUE.name}", {member: 1})
                connection.set("rq:wip:first", "nothing of ours")
                other = copy.copy(lease)
                other.queue, other.lane = queue(name="first"), broker._session.lanes["first"]  # type: ignore[attr-defined]
                broker._held.add(other)  # type: ignore[attr-defined]
            with pytest.raises(BrokerRefusedError, match=WORDS):
                await kit.chore(broker, "renew leases")
            left = (
                connection.pttl(f"bull:{QUEUE.name}:{lease.job.id}:lock")
                if wire == "bullmq"
                else connection.zscore(f"rq:wip:{QUEUE.name}", member)
            )
        assert left > 30_000
