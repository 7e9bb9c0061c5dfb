"""Failover: the server behind one address changes while connections stay open. They are closed, and no job is lost."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis

from embedded.redis_server import free_port
from queue_lib.addition import Addition
from queue_lib.broker import names
from queue_lib.broker.base import NotNow
from queue_lib.broker.connection import client, options, synchronous_client
from queue_lib.broker.dead_letters import DeadLetter
from queue_lib.broker.direct import StaleConnectionError
from queue_lib.broker.held import Held
from queue_lib.broker.rq import listener as rq_listener
from queue_lib.broker.rq import orders
from queue_lib.broker.rq.broker import RQBroker
from queue_lib.errors import BrokerUnavailableError
from queue_lib.job import State
from queue_lib.outcome import Failure
from tests.support.failover import Pair
from tests.support.lossy_link import LossyLink
from tests.support.polling import PATIENCE, until
from tests.support.wire_kit import QUEUE, WireKit, redis_kit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


WIRES = pytest.mark.parametrize("wire", ["bullmq", "rq"])
LONG = 3600.0  # seconds: no lease runs out in a test
NAME = "redis.test"
FAILURE = Failure("it broke", "Traceback: it broke")


@pytest.fixture
async def pair() -> AsyncIterator[Pair]:
    """A primary and its replica."""
    async with Pair.up() as pair:
        yield pair


@pytest.fixture
async def kit(pair: Pair, wire: str) -> AsyncIterator[WireKit]:
    """One wire, through their common address."""
    async with redis_kit(pair.link.url, wire) as kit:
        yield kit


@WIRES
async def test_jobs_are_settled_and_claimed_after_a_failover(kit: WireKit, pair: Pair) -> None:
    """Jobs that run at the failover settle on the new primary at once, and the listener hears of the next job."""
    broker = await kit.broker(lease_duration=LONG)
    ids = [await kit.enqueue("greet", number) for number in range(3)]
    done, failed, given_back = [await kit.claim(broker) for _ in ids]
    empty = await broker.claim(QUEUE)
    assert isinstance(empty, NotNow)
    listening = asyncio.create_task(broker.wait(QUEUE, NotNow(10.0, listen=True)))
    await asyncio.sleep(0.1)
    await pair.fail_over()
    await kit.enqueue("greet", "new")
    await asyncio.wait_for(listening, 5.0)  # by its own it would end after ten

    await (await kit.claim(broker)).done("ok")
    await done.done("ok")
    await kit.dead_letters.add(DeadLetter(job=failed.job, failure=FAILURE, failed_at=time.time()))
    await failed.bury(FAILURE)
    await given_back.release()
    again = await kit.claim(broker)
    await kit.chore(broker, "renew leases")
    await again.done("ok")

    assert given_back.job.id == again.job.id
    assert {State.COMPLETED: 3, State.FAILED: 1} == {
        state: n for state, n in (await kit.inspector.counts(QUEUE.name)).items() if n
    }
    assert 1 == len(await kit.letters())


@WIRES
async def test_an_operator_acts_on_the_new_primary(kit: WireKit, pair: Pair) -> None:
    """Every open connection moves over, whichever command comes first; none stays with the old primary."""
    job_id = await kit.enqueue("greet", 1)
    await kit.inspector.counts(QUEUE.name)
    await kit.heartbeats.workers()
    await pair.fail_over()
    await kit.inspector.pause(QUEUE.name)
    added = await kit.inspector.add(QUEUE.name, Addition(name="greet", data=2))
    assert await kit.inspector.remove(QUEUE.name, job_id)
    await kit.inspector.resume(QUEUE.name)

    assert (None, added) == (
        await kit.inspector.find(QUEUE.name, job_id),
        (await kit.view(added)).id,
    )


@WIRES
async def test_what_reads_moves_with_what_writes(kit: WireKit, pair: Pair) -> None:
    """A connection that only reads is never refused by the old primary, whose data are late: here, for ever."""
    job_id = await kit.enqueue("greet", 1)
    looks = [kit.view(job_id) for _ in range(5)]
    assert {job_id} == {view.id for view in await asyncio.gather(*looks)}
    pair.promote()
    with Redis.from_url(pair.replica.url) as demoted:
        demoted.replicaof("127.0.0.1", free_port())

    added = await kit.inspector.add(QUEUE.name, Addition(name="greet", data=2))

    looks = [kit.view(added) for _ in range(5)]
    assert {added} == {view.id for view in await asyncio.gather(*looks)}


async def test_a_worker_signs_off_at_the_new_primary(pair: Pair) -> None:
    """`rq info` no longer shows a worker that stops, even if signing off is its first RQ command after the failover."""
    async with redis_kit(pair.link.url, "rq") as kit:
        await kit.broker(lease_duration=LONG)
        await pair.fail_over()
        with Redis.from_url(pair.primary.url) as primary:
            assert 1 == primary.scard("rq:workers")

    with Redis.from_url(pair.primary.url) as primary:
        assert 0 == primary.scard("rq:workers")


class Directory:
    """DNS for one name, whose address the test chooses; other names are looked up as usual."""

    def __init__(self) -> None:
        self.address: str | None = "127.0.0.1"
        self._real = socket.getaddrinfo

    def __call__(self, host: Any, *args: Any, **words: Any) -> Any:
        """Look up."""
        if host == NAME and self.address is None:
            raise socket.gaierror(socket.EAI_AGAIN, "no answer")
        return self._real(self.address if host == NAME else host, *args, **words)


@pytest.fixture
def directory(monkeypatch: pytest.MonkeyPatch) -> Directory:
    """The name leads to 127.0.0.1 at first, and is looked up all the time."""
    directory = Directory()
    monkeypatch.setattr(socket, "getaddrinfo", directory)
    monkeypatch.setattr(names, "LOOK_EVERY", 0.02)
    monkeypatch.setattr(rq_listener, "LISTEN", 1)  # a listener notices between two commands
    return directory


@WIRES
async def test_work_moves_when_the_name_leads_elsewhere(redis_url: str, wire: str, directory: Directory) -> None:
    """The old server still answers as a primary. Within one look-up all work is with the new one."""
    async with (
        LossyLink(redis_url) as old,
        LossyLink(redis_url, "127.0.0.2", old.port) as new,
        redis_kit(f"redis://{NAME}:{old.port}", wire) as kit,
    ):
        broker = await kit.broker(lease_duration=LONG)
        await kit.enqueue("greet", 1)
        lease = await kit.claim(broker)
        await broker.wait(QUEUE, NotNow(0.5, listen=True))
        assert (True, 0) == (old.open > 0, new.open)

        directory.address = None  # no answer says nothing
        await asyncio.sleep(0.1)
        await broker.claim(QUEUE)
        assert 0 == new.open

        directory.address = "127.0.0.2"
        await lease.done("ok")

        async def work() -> Any:
            await kit.enqueue("greet", 2)
            await (await kit.claim(broker)).done("ok")
            await broker.wait(QUEUE, NotNow(0.05, listen=True))
            await kit.chore(broker, "renew leases")
            if isinstance(broker, RQBroker):  # which needs this one seldom
                with contextlib.suppress(StaleConnectionError):  # its transactions begin anew, as the executor does
                    await broker._session.in_thread(broker._session.sync.ping)
            await kit.inspector.counts(QUEUE.name)
            await kit.heartbeats.workers()
            return old.open == 0

        await until(work, 30.0, lambda: f"{old.open} connections stay with the old address")
        assert (True, []) == (new.open > 0, kit.events)


async def test_orders_are_heard_where_the_name_leads(
    redis_url: str, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listener sends nothing, and the old server sends it nothing: it looks the name up while it is idle."""
    monkeypatch.setattr(orders, "SILENCE", 0.05)
    async with LossyLink(redis_url) as old, LossyLink(redis_url, "127.0.0.2", old.port) as new:
        listener = client(options(f"redis://{NAME}:{old.port}"), decode=False, name="test")
        heeding = asyncio.create_task(orders.Orders(listener, "w", Held()).heed())
        await asyncio.sleep(0.3)
        assert (False, True, 0) == (heeding.done(), old.open > 0, new.open)
        directory.address = "127.0.0.2"
        with pytest.raises(BrokerUnavailableError, match="leads to another address"):
            await asyncio.wait_for(heeding, PATIENCE)

        async def has_moved() -> Any:
            return (old.open, new.open) == (0, 1)

        heeding = asyncio.create_task(orders.Orders(listener, "w", Held()).heed())  # as the chore does
        await until(has_moved, 10.0)
        await asyncio.sleep(0.3)
        assert not heeding.done()
        heeding.cancel()
        await asyncio.wait([heeding])
        await listener.aclose()


async def test_both_kinds_of_clients_notice(redis_url: str, directory: Directory) -> None:
    """The asyncio and the synchronous client, in a command and in a pipeline. The caller sees no error."""
    async with LossyLink(redis_url) as old, LossyLink(redis_url, "127.0.0.2", old.port) as new:
        parts = options(f"redis://{NAME}:{old.port}")
        shared, sync = client(parts, decode=True, name="test"), synchronous_client(parts, name="test")
        await shared.ping()
        await asyncio.to_thread(sync.ping)
        directory.address = "127.0.0.2"

        async def ask() -> Any:
            await shared.incr("async")
            async with shared.pipeline(transaction=True) as pipe:
                pipe.incr("async")
                await pipe.execute()
            await asyncio.to_thread(sync.incr, "sync")
            return old.open == 0

        await until(ask, 10.0)
        assert new.open >= 2
        await shared.aclose()
        sync.close()
