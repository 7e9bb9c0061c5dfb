"""A real cluster of three nodes: BullMQ's jobs under one hash tag, on one node, wherever that moves."""

from __future__ import annotations

import asyncio
import contextlib
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import redis

from queue_lib.broker.cluster import is_one_slot
from tests.support.node import node
from tests.support.polling import BUSY, PATIENCE, until
from tests.support.redis_cluster import Cluster
from tests.support.under_load import AT_LEAST, Deployment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.redis_cluster import Node

PREFIX = "{bull}"


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [("{bull}", True), ("app:{bull}", True), ("{bull}:x", True), ("bull", False), ("{}", False), ("{bull", False)],
)
def test_a_hash_tag_puts_all_keys_into_one_slot(prefix: str, expected: bool) -> None:
    """Only what is between the first braces counts, if that is anything."""
    assert expected == is_one_slot(prefix)


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    """Three nodes."""
    async with Cluster.up() as cluster:
        yield cluster


@contextlib.asynccontextmanager
async def deployed(cluster: Cluster, folder: Path) -> AsyncIterator[Deployment]:
    """A worker and the web process, which are told of a node that has not got the jobs."""
    known = next(each for each in cluster.nodes if each is not cluster.home(PREFIX))
    async with Deployment.up(known.url, folder, ["bullmq"], BULLMQ_PREFIX=PREFIX) as deployment:
        yield deployment


@pytest.mark.matrix
@pytest.mark.usefixtures("node_modules")
async def test_node_and_the_worker_meet_on_one_node(cluster: Cluster, tmp_path: Path) -> None:
    """Stock Node over ioredis's Cluster adds, waits for results and limits the queue; the API and dead letters work."""
    async with deployed(cluster, tmp_path) as deployment:
        url = cluster.nodes[0].url
        answers = await node(
            url,
            ("setGlobalConcurrency", "sums", 2),
            ("add", "sums", "add-one", {"n": 1}),
            ("waitUntilFinished", "sums", None, 20_000),
            ("add", "sums", "add-one", {"n": 2}, {"delay": 300}),
            ("waitUntilFinished", "sums", None, 20_000),
            ("add", "sums", "add-one", {"n": -1}),
            ("addBulk", "sums", [{"name": "add-one", "data": {"n": 10 + n}} for n in range(20)]),
            prefix=PREFIX,
            cluster=True,
            timeout=PATIENCE,
        )
        await deployment.worker.logged("job_done", 22)
        ready = await deployment.client.get("/readyz")
        letters = (await deployment.client.get("/queue/dead-letters")).json()
        names = [each["name"] for each in (await deployment.client.get("/queue/workers")).json()]
        status, _ = await deployment.worker.terminate(10.0 + BUSY)

    assert [{"sum": "2"}, {"sum": "3"}] == [answers[2], answers[4]]
    assert 200 == ready.status_code
    assert "too small" in str(letters)
    assert (1, 0) == (len(names), status)
    keys = {each.port: each.client.dbsize() for each in cluster.nodes}
    home = cluster.home(PREFIX)
    assert {home.port} == {port for port, count in keys.items() if count}


@pytest.mark.matrix
async def test_the_slot_moves_under_load(cluster: Cluster, tmp_path: Path) -> None:
    """While its keys are on two nodes, jobs wait; then all go on with the new one. None is lost."""
    home = cluster.home(PREFIX)
    target = next(each for each in cluster.nodes if each is not home)
    async with deployed(cluster, tmp_path) as deployment:
        async with deployment.load():
            await asyncio.to_thread(cluster.move, PREFIX, home, target)
        await deployment.completed(deployment.taken)

    assert 0 == home.client.dbsize() < target.client.dbsize()


@pytest.mark.matrix
async def test_the_node_is_killed_and_its_replica_takes_over(cluster: Cluster, tmp_path: Path) -> None:
    """The worker and the API go on by themselves; what the replica had is not lost."""
    home = cluster.home(PREFIX)
    async with cluster.replica_of(home) as replica, deployed(cluster, tmp_path) as deployment:
        async with deployment.load():
            had = list(deployment.taken)
            assert 1 == await asyncio.to_thread(replicated, home)
            await asyncio.to_thread(home.kill)
            await until(partial(is_primary, replica), PATIENCE)
        await deployment.completed(had + deployment.taken[-AT_LEAST:])


def replicated(node: Node) -> Any:
    """How many replicas have all that the node has: WAIT waits for what this connection has written, and all before."""
    with redis.Redis.from_url(node.url, single_connection_client=True) as client:
        client.incr(f"{PREFIX}:replicated")
        return client.wait(1, 5000)


def is_primary(node: Node) -> Any:
    """Whether it was promoted, by the votes of the others."""
    return node.client.info("replication")["role"] == "master"
