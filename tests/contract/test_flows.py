"""Flows as operators see them: a tree, and the parents that wait for a child that will not come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from queue_lib.admin.ports import JobRef
from queue_lib.job import State
from queue_lib.outcome import Failure
from tests.support.node import node_session, require
from tests.support.wire_kit import QUEUE, queue

if TYPE_CHECKING:
    from queue_lib.admin.flows import FlowNode
    from tests.support.wire_kit import WireKit

OTHER = "others"  # a queue that no worker serves
TREE: dict[str, Any] = {
    "name": "course",
    "data": {},
    "children": [
        {"name": "video", "queueName": QUEUE.name, "data": {"n": 1}},
        {
            "name": "book",
            "queueName": OTHER,
            "data": {"n": 2},
            "children": [{"name": "page", "queueName": QUEUE.name, "data": {"n": 3}}],
        },
    ],
}


def drawn(node: FlowNode | None) -> Any:
    """The tree: name and state, a mark for what blocks, and the children."""
    assert node is not None
    below = sorted(map(drawn, node.children))
    return (node.name, node.state, node.blocks, *below)


@pytest.mark.parametrize("kit", ["bullmq5", "bullmq6"])
async def test_a_flow_is_a_tree(redis_url: str, bullmq: WireKit, kit: str) -> None:
    """Seen whole from each of its jobs. A dead child blocks its parent, until it is retried and done."""
    require(kit)
    async with node_session(redis_url, kit) as ask:
        added = await ask("addFlow", QUEUE.name, TREE)
    [video, book] = added["children"]
    [page] = book["children"]
    broker = await bullmq.broker([queue(attempts=1)])
    for _ in range(2):
        lease = await bullmq.claim(broker)
        await (lease.done({"n": 1}) if lease.job.name == "video" else lease.bury(Failure("no such page")))
    root = await bullmq.view(added["job"]["id"])
    trees = [
        drawn(await bullmq.inspector.flow(where, each["job"]["id"]))
        for where, each in ((QUEUE.name, added), (QUEUE.name, video), (OTHER, book), (QUEUE.name, page))
    ]
    waiting, failed = State.WAITING_CHILDREN, State.FAILED
    expected = (
        *("course", waiting, False),
        ("book", waiting, False, ("page", failed, True)),
        ("video", State.COMPLETED, False),
    )
    assert [expected] * 4 == trees
    assert (JobRef(page["job"]["id"], QUEUE.name),) == (await _found(bullmq, OTHER, book)).dead_children
    assert () == root.dead_children
    assert ([JobRef(book["job"]["id"], OTHER)], []) == (
        *(await bullmq.inspector.stuck(OTHER), await bullmq.inspector.stuck(QUEUE.name)),
    )
    [listed] = await bullmq.inspector.page(OTHER, waiting, 0, 10)
    assert 1 == len(listed.dead_children)

    assert await bullmq.inspector.retry(QUEUE.name, page["job"]["id"])
    await (await bullmq.claim(broker)).done({})
    assert [] == await bullmq.inspector.stuck(OTHER)
    assert State.WAITING == (await _found(bullmq, OTHER, book)).state


async def _found(bullmq: WireKit, where: str, node: Any) -> Any:
    return await bullmq.inspector.find(where, node["job"]["id"])


@pytest.mark.usefixtures("node_modules")
async def test_a_removed_child_sets_its_parent_free(redis_url: str, bullmq: WireKit) -> None:
    """The parent runs without its result. A child whose keys are gone blocks, too, and is shown as gone."""
    async with node_session(redis_url, "bullmq6") as ask:
        added = await ask("addFlow", QUEUE.name, {**TREE, "children": TREE["children"][:1]})
        lost = await ask("addFlow", OTHER, {**TREE, "children": TREE["children"][:1]})
    source: Any = bullmq.inspector
    client = source.queue(QUEUE.name).backend.conn
    child = lost["children"][0]["job"]["id"]
    await client.delete(f"bull:{QUEUE.name}:{child}")
    await client.lrem(f"bull:{QUEUE.name}:wait", 0, child)
    tree = await bullmq.inspector.flow(OTHER, lost["job"]["id"])
    assert ("course", State.WAITING_CHILDREN, False, ("", None, True)) == drawn(tree)
    assert [lost["job"]["id"]] == [each.id for each in await bullmq.inspector.stuck(OTHER)]

    broker = await bullmq.broker([queue(attempts=1)])
    await (await bullmq.claim(broker)).bury(Failure("no such video"))
    assert 1 == len(await bullmq.inspector.stuck(QUEUE.name))
    assert await bullmq.inspector.remove(QUEUE.name, added["children"][0]["job"]["id"])
    assert added["job"]["id"] == (await bullmq.claim(broker)).job.id


async def test_odd_keys_end_a_tree(bullmq: WireKit) -> None:
    """Jobs that name each other, many levels, many children and keys of a wrong type. A job is in its own tree."""
    source: Any = bullmq.inspector
    client, prefix = source.queue(QUEUE.name).backend.conn, f"bull:{QUEUE.name}:"
    for a, b in (("a", "b"), ("b", "a")):
        await client.hset(f"{prefix}{a}", mapping={"name": a, "timestamp": "1", "parentKey": f"{prefix}{b}"})
        await client.sadd(f"{prefix}{a}:dependencies", f"{prefix}{b}")
    await client.hset(f"{prefix}many", mapping={"name": "many", "timestamp": "1"})
    await client.sadd(f"{prefix}many:dependencies", *(f"{prefix}c{n}" for n in range(150)), "", "x", "bull:y")
    await client.set(f"{prefix}many:processed", "a text")
    loop, many = [await bullmq.inspector.flow(QUEUE.name, each) for each in ("a", "many")]

    assert loop is not None
    assert {"a", "b"} == {each.name for each in loop}
    assert many is not None
    assert (99, 54) == (len(many.children), many.more)
    assert await bullmq.inspector.flow(QUEUE.name, "none") is None
    for child, parent in (("late", "many"), ("orphan", "gone")):
        await client.hset(f"{prefix}{child}", mapping={"name": child, "timestamp": "1", "parentKey": prefix + parent})
    late = await bullmq.inspector.flow(QUEUE.name, "late")
    assert late is not None
    assert ("many", "late") == (late.name, late.children[0].name)
    assert await bullmq.inspector.flow(QUEUE.name, "orphan") is None
    assert () == (await bullmq.view("many")).dead_children
