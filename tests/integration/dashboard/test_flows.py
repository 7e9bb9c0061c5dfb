"""Flows on the dashboard: the tree on a job's page, and what to do about a dead child."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bullmq import FlowProducer

from tests.support.showcase import FILES, IMAGE, PUSH, PUSHES, bury, working

if TYPE_CHECKING:
    from tests.support.dashboard_client import Browser
    from tests.support.wires import Mess


async def test_a_flow_with_a_dead_child(ada: Browser, mess: Mess) -> None:
    """Both pages show the tree and say what to do, the overview and the queue name the parent; until it is mended."""
    flows: Any = FlowProducer({"connection": mess.url})
    image = {"name": "process-image", "queueName": FILES.name, "data": IMAGE, "opts": {"jobId": "image"}}
    parent = {"name": "push-notification", "queueName": PUSHES.name, "data": PUSH, "opts": {"jobId": "parent"}}
    await flows.add({**parent, "children": [image]})
    await flows.close()
    to_parent, to_image = (
        f"/job?queue={queue.name}&wire=bullmq&id={name}" for queue, name in ((PUSHES, "parent"), (FILES, "image"))
    )
    assert "waits for" not in (await ada.get(to_parent)).text
    async with working(mess) as broker:
        await bury(mess, broker, 1)
    pages = [(await ada.get(page)).text for page in (to_parent, to_image)]
    tab = (await ada.get(f"/queue/{PUSHES.name}?state=waiting-children")).text
    for page in pages:
        tree = page[page.index("<h2>Flow</h2>") :]
        assert tree.index("push-notification") < tree.index("process-image") < tree.index("its parent waits")
        assert "nothing is stored under its filePath" in tree
        assert "<h2>Children</h2>" not in page
    assert "This job waits for 1 child that has failed for good" in pages[0]
    assert "Its parent waits for this job: retry it, or remove it" in pages[1]
    assert "waits for 1 dead child" in tab
    for page in (tab, (await ada.get("/")).text):
        assert "These jobs wait for a child that has failed for good: parent. Retry or remove the child." in page

    await ada.act(f"/job/remove?queue={FILES.name}&wire=bullmq&id=image")
    assert "for good" not in (await ada.get("/")).text
    assert "waiting</span>" in (await ada.get(to_parent)).text
