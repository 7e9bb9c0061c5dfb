"""Jobs that are taken back by their cancel key, with a real worker and a push service, on both wires."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bullmq import Queue
from redis import Redis
from rq import Queue as Lane

from queue_lib.jobs import cancel
from tests.support.polling import PATIENCE

if TYPE_CHECKING:
    import pytest

    from tests.support.app import App
    from tests.support.push_service import PushService

QUEUE = "push-notifications"
PROJECT = Path(__file__).parents[2]


def push(title: str, key: Any) -> dict[str, Any]:
    """A job's payload."""
    return {"userId": "user-1", "payload": {"title": title}, "options": {"cancelKey": key}}


async def test_what_was_read_is_not_pushed(
    app: App, push_service: PushService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stock producer of each wire adds, a Python program and a script cancel, and a later message is pushed."""
    app.subscribe(push_service.subscribe())
    queue = Queue(QUEUE, {"connection": app.env["REDIS_URL"]})
    monkeypatch.setenv("REDIS_URL", app.env["REDIS_URL"])
    with Redis.from_url(app.env["REDIS_URL"]) as redis:
        lane = Lane(QUEUE, connection=redis, serializer="json")
        await queue.add("push-notification", push("first", "room:1"))
        lane.enqueue("push-notification", push("second", "room:1"))
        lane.enqueue("push-notification", push("third", 42))
        await cancel("room:1")
        await script(app, "42")
        await queue.add("push-notification", push("fourth", "room:1"))
    await queue.close()

    async with app.worker() as worker:
        ended = await worker.logged("job_done", 4)

    assert ["fourth"] == [each.json["title"] for each in push_service.received]
    assert {QUEUE} == {line["queue"] for line in ended}


async def script(app: App, *arguments: str) -> None:
    """Run scripts/cancel.py."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "scripts.cancel", *arguments),
        cwd=PROJECT,
        env={"PATH": os.defpath, "REDIS_URL": app.env["REDIS_URL"]},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert (0, b"cancelled\n") == (process.returncode, out), err
