"""Flows that a Next.js app has added: parents wait for children that our worker runs, also for those that fail.

Where the app may choose what happens, a Node worker runs beside ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.chaos_worker import FILES, PUSHES
from tests.support.node import KITS, STOCK, NodeError, node, node_session, node_worker, require

if TYPE_CHECKING:
    from tests.support.wires import Mess

pytestmark = pytest.mark.usefixtures("node_modules")

ON_FAILURE = ("failParentOnFailure", "ignoreDependencyOnFailure", "removeDependencyOnFailure")


async def test_a_flow(mess: Mess) -> None:
    """A parent runs after its two children, also of another queue, and the app reads their values from it."""
    children = [
        {"name": "nap", "queueName": PUSHES, "data": {"n": 1, "seconds": [0.3]}},
        {"name": "file-nap", "queueName": FILES, "data": {"n": 2, "seconds": [0.1]}},
    ]
    async with mess.worker():
        flow, _, values = await node(
            mess.url,
            ("addFlow", PUSHES, {"name": "nap", "data": {"n": 0}, "children": children}),
            ("waitUntilFinished", PUSHES, None, 5000),
            ("job.getChildrenValues", PUSHES, None),
        )

    keys = [f"bull:{child['job']['queueName']}:{child['job']['id']}" for child in flow["children"]]
    assert {key: {"data": child["data"]} for key, child in zip(keys, children, strict=True)} == values
    assert flow["job"]["id"] == [line["id"] for line in mess.record if line["event"] == "start"][-1]


@pytest.mark.parametrize("kit", sorted(KITS))
async def test_a_parent_reads_how_its_children_have_ended(mess: Mess, kit: str) -> None:
    """Results and ignored failures, by the keys that the app's own bullmq uses."""
    require(kit)
    children = [
        {"name": "nap", "queueName": PUSHES, "data": {"n": 1}},
        {"name": "file-nap", "queueName": FILES, "data": {"n": 2}},
        {"name": "file-fail", "queueName": FILES, "opts": {"ignoreDependencyOnFailure": True}},
        {"name": "fail-for-good", "queueName": PUSHES, "opts": {"removeDependencyOnFailure": True}},
    ]
    async with mess.worker(), node_session(mess.url, kit) as app:
        flow = await app("addFlow", PUSHES, {"name": "gather", "data": {}, "children": children})
        told = await app("waitUntilFinished", PUSHES, None, 5000)
        values = await app("job.getChildrenValues", PUSHES, None)
        ignored = await app("job.getIgnoredChildrenFailures", PUSHES, None)

    keys = [f"bull:{child['job']['queueName']}:{child['job']['id']}" for child in flow["children"]]
    assert {"results": values, "failures": ignored} == told
    assert {keys[0]: {"data": {"n": 1}}, keys[1]: {"data": {"n": 2}}} == values
    assert {keys[2]: "no such user"} == ignored


async def test_a_flow_with_a_failed_child(mess: Mess) -> None:
    """The app chooses what a child's failure does to its parent; it is the same as with a Node worker."""
    async with mess.worker(), node_worker(mess.url, STOCK):
        ours, theirs = [
            [await _flow_fails(mess.url, queue, option) for option in ON_FAILURE] for queue in (PUSHES, STOCK)
        ]

    assert theirs == ours
    assert 3 == len(set(map(tuple, ours)))


async def _flow_fails(url: str, queue: str, option: str) -> list[Any]:
    """How the parent looks: how its wait ends, its state and its reason."""
    child = {"name": "fail-for-good", "queueName": queue, "data": {"message": "never"}, "opts": {option: True}}
    tree = {"name": "report", "data": {"seconds": [0]}, "children": [child]}
    try:
        [flow, _] = await node(url, ("addFlow", queue, tree), ("waitUntilFinished", queue, None, 20_000))
        answer = ""
    except NodeError as error:
        [flow], answer = error.results, error.message
    parent, child_id = flow["job"]["id"], flow["children"][0]["job"]["id"]
    found, ignored = await node(url, ("getJob", queue, parent), ("job.getIgnoredChildrenFailures", queue, parent))
    seen = [answer, found["state"], found["failedReason"], found["attemptsMade"], list(ignored.values())]
    return [str(each).replace(queue, "QUEUE").replace(child_id, "CHILD").replace(parent, "PARENT") for each in seen]


async def test_a_parent_waits_for_a_failed_child(mess: Mess) -> None:
    """Without a choice of the app the parent waits, and `job.retry()` of the child sets it free."""
    child = {"name": "flaky", "queueName": PUSHES, "opts": {"attempts": 1}}
    async with mess.worker() as worker:
        [flow] = await node(mess.url, ("addFlow", PUSHES, {"name": "nap", "data": {}, "children": [child]}))
        parent, child_id = flow["job"]["id"], flow["children"][0]["job"]["id"]
        await worker.logged("job_dead", id=child_id)
        before, _, values = await node(
            mess.url,
            ("getJob", PUSHES, parent),
            ("job.retry", PUSHES, child_id),
            ("waitUntilFinished", PUSHES, parent, 5000),
        )

    assert "waiting-children" == before["state"]
    assert {"data": {}} == values
