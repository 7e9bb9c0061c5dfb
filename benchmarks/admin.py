"""How long the overview and a page take, with 100,000 jobs of one state on each wire.

    python -m benchmarks.admin [jobs] [rounds] [states]

The real broker makes a job of each state, which is then copied. Times are the server's: requests without a socket, to
the API with routing, token, models and JSON, and to the dashboard's pages, on which both wires are one list. The floor
is the Redis commands that a page or an overview needs, in one pipeline of redis-py.

Of a search, and of dead letters by reason, a row says how many were looked at, in how many round trips, and how long
the server was busy with the longest command: no other client is answered meanwhile.
"""

from __future__ import annotations

import asyncio
import re
import statistics
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

import httpx
from redis import Redis

from processors.features import FEATURES
from queue_lib import wiring
from queue_lib.addition import Addition
from queue_lib.admin.merging import Cursor
from queue_lib.admin.ports import Mark
from queue_lib.broker.base import NotNow, Setup
from queue_lib.broker.bullmq.broker import BullMQBroker
from queue_lib.broker.bullmq.dead_letters import BullMQDeadLetters
from queue_lib.broker.connection import client, options
from queue_lib.broker.dead_letters import DeadLetter
from queue_lib.broker.rq.broker import RQBroker
from queue_lib.feature import queues_of
from queue_lib.job import State, Wire
from queue_lib.outcome import Failure
from queue_lib.settings import WorkerSettings
from queue_lib.web import tokens
from queue_lib.web.api.app import build
from queue_lib.web.dashboard.addresses import PREFIX
from queue_lib.web.dashboard.app import install
from tests.support.fakes import make_job
from tests.support.redis_server import RedisServer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from queue_lib.admin.admin import Admin
    from queue_lib.broker.base import Broker

QUEUES = queues_of(FEATURES)
QUEUE = QUEUES[0]
PAGE = 50
LOGGED = 200  # microseconds: a command that takes longer is in the server's log, and none that a script runs
STATES = (State.WAITING, State.DELAYED, State.COMPLETED, State.FAILED)
PUSH = {"userId": "user-1", "payload": {"title": "Ada", "body": "Are you there?", "url": "/chat/7"}}
FAILURE = Failure("the push service is away", "Traceback (most recent call last):\n" + "  File x, line 1\n" * 40)
BULL, RQ = f"bull:{QUEUE.name}:", "rq:job:"
# On a page, or in the API's answer: how far it has looked.
LOOKED = re.compile(r'among 1 to ([\d,]+) of|([\d,]+) of [\d,]+ dead letters were looked at|"resume":(\d+)')
PLACES = {
    Wire.BULLMQ: {State.WAITING: f"{BULL}wait", **{state: f"{BULL}{state}" for state in STATES[1:]}},
    Wire.RQ: {
        State.WAITING: f"rq:queue:{QUEUE.name}",
        State.DELAYED: f"rq:scheduled:{QUEUE.name}",
        State.COMPLETED: f"rq:finished:{QUEUE.name}",
        State.FAILED: f"rq:failed:{QUEUE.name}",
    },
}


async def fill(admin: Admin, server: Redis, wire: Wire, state: State, jobs: int) -> None:
    """Make one job of a state, and copy it."""
    delay = 3600.0 if state is State.DELAYED else 0.0
    job_id, _ = await admin.jobs.add(Addition(name="push-notification", data=PUSH, delay=delay), wire)
    if state in {State.COMPLETED, State.FAILED}:
        await _end(server, wire, state)
    place = PLACES[wire][state]
    key = (BULL if wire is Wire.BULLMQ else RQ) + job_id
    score = server.zscore(place, job_id) if state is not State.WAITING else None
    for start in range(1, jobs, 1000):
        with server.pipeline(transaction=False) as pipe:
            ids = [f"{job_id}-{number}" for number in range(start, min(start + 1000, jobs))]
            for each in ids:
                pipe.copy(key, key + each.removeprefix(job_id))
            if score is None:
                pipe.lpush(place, *ids)
            else:
                pipe.zadd(place, {each: score + number for number, each in enumerate(ids, start)})
            pipe.execute()


async def bury(server: Redis, url: str, jobs: int) -> None:
    """Make one dead letter, and copy it."""
    store = BullMQDeadLetters(client(options(url), decode=True, name="bench"), "bull")
    job = make_job(id="1", name="push-notification", queue=QUEUE.name, data=PUSH)
    await store.add(DeadLetter(job=job, failure=FAILURE, failed_at=time.time()))
    await store.close()
    [letter_id] = cast("list[bytes]", server.lrange("bull:dead:wait", 0, -1))
    key = f"bull:dead:{letter_id.decode()}"
    for start in range(1, jobs, 1000):
        with server.pipeline(transaction=False) as pipe:
            for number in range(start, min(start + 1000, jobs)):
                pipe.copy(key, f"{key}-{number}")
                pipe.lpush("bull:dead:wait", f"{letter_id.decode()}-{number}")
            pipe.execute()


async def _end(server: Redis, wire: Wire, state: State) -> None:
    parts = server.connection_pool.connection_kwargs
    url = f"redis://{parts['host']}:{parts['port']}"
    kind = BullMQBroker if wire is Wire.BULLMQ else RQBroker
    setup = Setup(redis=options(url), prefix="bull", lease_duration=30, worker_name="bench", observe=lambda _: None)
    broker: Broker = kind([QUEUE], setup)
    await broker.start()
    lease = await broker.claim(QUEUE)
    assert not isinstance(lease, NotNow)
    await (lease.done({"sent": 1}) if state is State.COMPLETED else lease.bury(FAILURE))
    await broker.close()


@dataclass(frozen=True, slots=True)
class Times:
    """Of some rounds, in milliseconds: the median, the longest, and the median of this process's processor time."""

    median: float
    longest: float
    processor: float


async def timed(ask: Callable[[], Awaitable[Any]], rounds: int) -> Times:
    """How long it takes."""
    times, processor = [], []
    for _ in range(rounds):
        since, worked = time.perf_counter(), time.process_time()
        await ask()
        times.append((time.perf_counter() - since) * 1000)
        processor.append((time.process_time() - worked) * 1000)
    return Times(statistics.median(times), max(times), statistics.median(processor))


def bare_page(server: Redis, wire: Wire, state: State, start: int) -> None:
    """The ids of a page, then their hashes."""
    place, prefix = PLACES[wire][state], BULL if wire is Wire.BULLMQ else RQ
    ids: Any = (
        server.lrange(place, start, start + PAGE - 1)
        if state is State.WAITING
        else server.zrange(place, start, start + PAGE - 1)
    )
    with server.pipeline(transaction=False) as pipe:
        for job_id in ids:
            pipe.hgetall(prefix + job_id.decode())
        pipe.execute()


def bare_overview(server: Redis) -> None:
    """The length of every list and sorted set of both queues."""
    with server.pipeline(transaction=False) as pipe:
        for queue in (queue.name for queue in QUEUES):
            for name in ("wait", "active"):
                pipe.llen(f"bull:{queue}:{name}")
            for name in ("prioritized", "delayed", "completed", "failed", "waiting-children"):
                pipe.zcard(f"bull:{queue}:{name}")
            for lane in (f"{queue}-high", queue, f"{queue}-low"):
                pipe.llen(f"rq:queue:{lane}")
                for name in ("scheduled", "wip", "deferred", "finished", "failed"):
                    pipe.zcard(f"rq:{name}:{lane}")
        pipe.execute()


def row(what: str, times: Times, floor: Times | None = None) -> None:
    """Print a row of the table."""
    bare = f"{floor.median:.1f}" if floor else ""
    print(f"| {what} | {times.median:.1f} | {times.longest:.1f} | {times.processor:.1f} | {bare} |", flush=True)


class Bench:
    """Measures requests to the API and bare commands to Redis."""

    def __init__(self, client: httpx.AsyncClient, server: Redis, jobs: int, rounds: int) -> None:
        """There are `jobs` of a state on each wire. Each figure is of `rounds` requests."""
        self._client = client
        self._server = server
        self._jobs = jobs
        self._rounds = rounds

    async def measure(self, state: State) -> None:
        """Print the times of the overview and of the first, middle and last page."""
        overview = await self._asked("/queue/stats")
        row(f"overview, all {state}", overview, await self._bare(partial(bare_overview, self._server)))
        for wire in Wire:
            path = f"/queue/jobs?queue={QUEUE.name}&state={state}&wire={wire}"
            for where, start in (("first", 0), ("middle", self._jobs // 2), ("last", self._jobs - PAGE)):
                page = await self._asked(f"{path}&start={start}")
                bare = await self._bare(partial(bare_page, self._server, wire, state, start))
                row(f"{wire}, {state}, {where} page", page, bare)
            await self._looked(f"{wire}, {state}, search", f"{path}&text=berta")
        await self._measure_dashboard(state)

    async def _measure_dashboard(self, state: State) -> None:
        """Print the times of the dashboard's pages, on which both wires are one list."""
        row("dashboard, overview", await self._asked(f"{PREFIX}/"))
        path = f"{PREFIX}/queue/{QUEUE.name}?state={state}"
        row(f"dashboard, both wires, {state}, first page", await self._asked(path))
        middle = urlencode({"after": self._middle(state).text()})
        row(f"dashboard, both wires, {state}, middle page", await self._asked(f"{path}&{middle}"))
        await self._looked(f"dashboard, both wires, {state}, search", f"{path}&text=berta")

    def _middle(self, state: State) -> Cursor:
        """The place in the middle of both lists. RQ's is that of the middle lane."""
        marks, half = {}, self._jobs // 2
        for wire, name in ((Wire.BULLMQ, "bullmq0"), (Wire.RQ, "rq1")):
            place = PLACES[wire][state]
            ids: Any = (self._server.lrange if state is State.WAITING else self._server.zrange)(place, half, half)
            score: Any = 0.0 if state is State.WAITING else self._server.zscore(place, ids[0])
            marks[name] = Mark(ids[0].decode(), score)
        return Cursor(self._jobs, marks)

    async def letters(self) -> None:
        """Print the times of the pages of dead letters, one by one and by reason."""
        total = f"{self._jobs:,} dead letters"
        row(f"dashboard, {total}, one by one", await self._asked(f"{PREFIX}/letters"))
        await self._looked(f"dashboard, {total}, by reason", f"{PREFIX}/letters/groups")
        await self._looked(f"API, {total}, by reason", "/queue/dead-letters/groups")

    async def _looked(self, what: str, path: str) -> None:
        """Print the times of a page that looks at some of all, and what it cost the server."""
        times, text = await self._asked(path), (await self._client.get(path)).text
        looked = "".join(next(iter(LOOKED.findall(text)), ["all"]))
        self._server.config_set("slowlog-log-slower-than", LOGGED)
        self._server.slowlog_reset()
        before = self._trips()
        await self._client.get(path)
        cost = f"{self._trips() - before - 1} round trips"
        longest = max((each["duration"] for each in cast("list[Any]", self._server.slowlog_get(100))), default=LOGGED)
        row(f"{what}: {looked} looked at; {cost}, the longest command {longest / 1000:.1f} ms", times)

    def _trips(self) -> int:
        info: Any = self._server.info("stats")
        return int(info["total_reads_processed"])

    async def drain(self, state: State) -> None:
        """Drain the queue, and print how long Redis answered no other client meanwhile."""
        path = f"/queue/drain?queue={QUEUE.name}&delayed=true"
        draining = asyncio.create_task(timed(partial(self._client.post, path), 1))
        longest = 0.0
        while not draining.done():
            longest = max(longest, (await timed(partial(asyncio.to_thread, self._server.ping), 1)).longest)
            await asyncio.sleep(0.01)
        row(f"drain of both wires, {state}", await draining)
        print(f"| a PING meanwhile | | {longest:.1f} | | |", flush=True)

    async def _asked(self, path: str) -> Times:
        async def ask() -> None:
            (await self._client.get(path)).raise_for_status()

        return await timed(ask, self._rounds)

    async def _bare(self, work: Callable[[], None]) -> Times:
        return await timed(partial(asyncio.to_thread, work), self._rounds)


async def main() -> None:
    """For each state: fill the queue, measure, and empty it."""
    jobs, rounds = map(int, sys.argv[1:3] + ["100000", "20"][len(sys.argv[1:3]) :])
    states = [State(each) for each in sys.argv[3:]] or STATES
    secret, token = tokens.make("bench", may_write=True)
    print("| | ms, median | ms, longest | ms of processor | ms, bare commands |\n|---|---|---|---|---|")
    with RedisServer() as valkey, Redis.from_url(valkey.url) as server:
        settings = WorkerSettings(redis_url=valkey.url)
        app = build(lambda: wiring.admin(settings, FEATURES, by="bench"), [token], 1000)
        install(app, [token], settings.redis)
        transport, headers = httpx.ASGITransport(app), {"Authorization": f"Bearer {secret}"}
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(app.router.lifespan_context(app))
            asking = httpx.AsyncClient(transport=transport, base_url="http://api", headers=headers, timeout=300)
            await stack.enter_async_context(asking)
            bench = Bench(asking, server, jobs, rounds)
            for state in states:
                server.flushall()
                for wire in Wire:
                    await fill(app.state.admin, server, wire, state, jobs)
                await bench.measure(state)
                if state is State.FAILED:
                    await bury(server, valkey.url, jobs)
                    await bench.letters()
                if state in {State.WAITING, State.DELAYED}:
                    await bench.drain(state)


if __name__ == "__main__":
    asyncio.run(main())
