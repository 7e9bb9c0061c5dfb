"""Apps with bullmq 5 and with bullmq 6: whatever is done to a queue, and by which side, no job is lost.

bullmq 5 sets the waiting jobs of a paused queue aside, in a list of their own; bullmq 6 leaves them where they are. A
Node worker of the app's major is the reference: the same steps are done to two queues. Our worker and our admin take
part in one of them. After each step both queues must look the same.
"""

from __future__ import annotations

import contextlib
import random
from typing import TYPE_CHECKING, Any

import pytest
import redis.asyncio

from queue_lib.addition import Addition
from queue_lib.admin.bullmq.inspector import BullMQInspector
from queue_lib.broker.base import NotNow, Setup
from queue_lib.broker.bullmq.broker import BullMQBroker
from queue_lib.broker.connection import client, options
from queue_lib.outcome import Failure
from tests.support.node import KITS, STOCK, Session, node_session, require
from tests.support.polling import until
from tests.support.wire_kit import PREFIX, QUEUE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from queue_lib.broker.base import Lease

LISTS = ("wait", "paused", "active")
SETS = ("prioritized", "delayed", "completed", "failed")
HOUR = 3600.0
STEPS, ROUNDS = 100, 4
FAILURE = Failure("no")


class Node:
    """Node's side: the app, and a worker that goes step by step."""

    def __init__(self, session: Session) -> None:
        """`session` has the major under test."""
        self._session = session

    async def claim(self, queue: str) -> str | None:
        """The id of the job that is taken, if there is one."""
        job = await self._session("claim", queue)
        return job and str(job["id"])

    async def add(self, queue: str, delay: float, attempts: int) -> None:
        """Add a job."""
        await self._session("add", queue, "job", {}, {"delay": delay * 1000, "attempts": attempts})

    async def add_special(self, queue: str, option: dict[str, Any]) -> None:
        """Add a job with an option that our admin lacks."""
        await self._session("add", queue, "job", {}, {"attempts": 99, **option})

    async def retry(self, queue: str, job_id: str) -> None:
        """Run a failed job again."""
        await self._session("job.retry", queue, job_id, "failed", {"resetAttemptsMade": True})

    async def promote(self, queue: str, job_id: str) -> None:
        """Let a delayed job run now."""
        await self._session("job.promote", queue, job_id)

    async def do(self, step: str, queue: str, *job_id: str) -> None:
        """A step that has the same name and arguments in the session."""
        await self._session(step, queue, *job_id)


class Pushmill:
    """Our side: the worker's broker and the operators' inspector, with the names of Node's steps."""

    def __init__(self, broker: BullMQBroker, inspector: BullMQInspector) -> None:
        """Both on the queue under test."""
        self._broker, self._inspector = broker, inspector
        self._leases: dict[str, Lease] = {}

    async def claim(self, queue: str) -> str | None:
        """The id of the job that is taken, if there is one."""
        del queue
        claimed = await self._broker.claim(QUEUE)
        if isinstance(claimed, NotNow):
            return None
        self._leases[claimed.job.id] = claimed
        return claimed.job.id

    async def add(self, queue: str, delay: float, attempts: int) -> None:
        """Add a job."""
        await self._inspector.add(queue, Addition(name="job", data={}, delay=delay, attempts=attempts))

    async def retry(self, queue: str, job_id: str) -> None:
        """Run a failed job again."""
        assert await self._inspector.retry(queue, job_id)

    async def promote(self, queue: str, job_id: str) -> None:
        """Let a delayed job run now."""
        assert await self._inspector.promote(queue, job_id)

    async def do(self, step: str, queue: str, *job_id: str) -> None:
        """The others."""
        match step:
            case "pause":
                await self._inspector.pause(queue)
            case "resume":
                await self._inspector.resume(queue)
            case "drain":
                await self._inspector.drain(queue, delayed=False, most=1000)
            case "giveBack":
                await self._leases[job_id[0]].release()
            case "complete":
                await self._leases[job_id[0]].done("done")
            case "fail":
                lease = self._leases[job_id[0]]
                again = lease.job.attempt < lease.job.max_attempts
                await (lease.retry(0, FAILURE) if again else lease.bury(FAILURE))


class Twins:
    """Two queues to which the same is done: in one by either side, in the other by Node alone."""

    def __init__(self, ours: Pushmill, nodes: Node, connection: redis.asyncio.Redis, chance: random.Random) -> None:
        """Both queues are empty."""
        self._parties: list[Pushmill | Node] = [ours, nodes]
        self._node, self._redis, self._chance = nodes, connection, chance
        self._holders: dict[str, Pushmill | Node] = {}
        self.told: list[str] = []

    async def step(self) -> None:
        """Do a random step that the state of the queue allows."""
        state = await self.look(QUEUE.name)
        who = self._chance.choice(self._parties)
        step, *arguments = self._chance.choice(list(_possible(state)))
        if step in {"complete", "fail", "giveBack"}:
            who = self._holders[arguments[0]]
        self.told.append(f"{type(who).__name__} {step} {arguments}")
        await self._do(who, QUEUE.name, step, *arguments)
        await self._do(self._node, STOCK, step, *arguments)

    async def _do(self, who: Pushmill | Node, queue: str, step: str, *arguments: Any) -> None:
        match step:
            case "claim":
                if (claimed := await who.claim(queue)) and queue == QUEUE.name:
                    self._holders[claimed] = who
            case "add":
                await who.add(queue, *arguments)
            case "add_special":
                await self._node.add_special(queue, *arguments)
            case "retry":
                await who.retry(queue, *arguments)
            case "promote":
                await who.promote(queue, *arguments)
            case _:
                await who.do(step, queue, *arguments)

    async def look(self, queue: str) -> dict[str, list[str]]:
        """Where each job is, and whether a waiting worker is woken."""
        key = f"{PREFIX}:{queue}:"
        found: dict[str, Any] = {name: await self._redis.lrange(key + name, 0, -1) for name in LISTS}
        found |= {name: sorted(await self._redis.zrange(key + name, 0, -1)) for name in SETS}
        return found | {"told": await self._redis.zrangebyscore(f"{key}marker", 0, 0)}

    async def check(self) -> None:
        """Each job is in one list, and the queues look the same."""
        mine, theirs = await self.look(QUEUE.name), await self.look(STOCK)
        keys = [key async for key in self._redis.scan_iter(f"{PREFIX}:{QUEUE.name}:*", 1000)]
        ids = sorted(last for key in keys if (last := key.rsplit(":", 1)[1]).isdigit())
        story = "\n".join(self.told)
        assert ids == sorted(job_id for name in (*LISTS, *SETS) for job_id in mine[name]), story
        assert theirs == mine, story

    async def finish(self) -> None:
        """Resume, and run all jobs that are not delayed: none may be left."""
        await self._node.do("resume", QUEUE.name)
        while (job_id := await self._parties[0].claim(QUEUE.name)) is not None:
            await self._parties[0].do("complete", QUEUE.name, job_id)
        left = await self.look(QUEUE.name)
        assert not any(left[name] for name in ("wait", "paused", "prioritized")), "\n".join(self.told)


def _possible(state: dict[str, list[str]]) -> Iterator[tuple[Any, ...]]:
    """The steps that make sense now; those listed more than once are more likely."""
    yield from [("pause",), ("resume",), *[("claim",)] * 4, ("add", 0.0, 1), ("add", 0.0, 2), ("add", HOUR, 2)]
    yield from [("add_special", {"priority": 2}), ("add_special", {"lifo": True})]
    if len(state["wait"]) + len(state["paused"]) > 6:
        yield ("drain",)
    for job_id in state["active"]:
        yield from [("complete", job_id), *[("fail", job_id)] * 2, *[("giveBack", job_id)] * 2]
    yield from (("promote", job_id) for job_id in state["delayed"][:2])
    yield from (("retry", job_id) for job_id in state["failed"][:2])


@pytest.fixture(params=sorted(KITS))
async def node(request: pytest.FixtureRequest, redis_url: str) -> AsyncIterator[Node]:
    """Each major, which has written its version into both queues."""
    require(request.param)
    async with node_session(redis_url, request.param) as session:
        for queue in (QUEUE.name, STOCK):
            await until(lambda queue=queue: session("getVersion", queue))  # type: ignore[misc]
        yield Node(session)


@pytest.fixture
async def ours(redis_url: str) -> AsyncIterator[Pushmill]:
    """Our worker and admin."""
    parts = options(redis_url)
    setup = Setup(redis=parts, prefix=PREFIX, lease_duration=30.0, worker_name="w", observe=lambda _: None)
    broker, shared = BullMQBroker([QUEUE], setup), client(parts, decode=True, name="test")
    await broker.start()
    yield Pushmill(broker, BullMQInspector(shared, PREFIX))
    await broker.close()
    await shared.aclose()


@pytest.mark.parametrize("seed", range(ROUNDS))
async def test_no_job_is_lost_between_the_majors(node: Node, ours: Pushmill, redis_url: str, seed: int) -> None:
    """Pause, resume, add, retry, drain, promote or give back: the queue looks as if a Node worker had done it all."""
    async with contextlib.aclosing(redis.asyncio.Redis.from_url(redis_url, decode_responses=True)) as connection:
        twins = Twins(ours, node, connection, random.Random(seed))
        for _ in range(STEPS):
            await twins.step()
            await twins.check()
        await twins.finish()
