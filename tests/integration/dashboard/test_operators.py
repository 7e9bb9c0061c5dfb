"""Several operators at once: each job runs again once, and no operator waits for a connection."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from queue_lib.admin.filters import JobFilter
from queue_lib.job import Wire
from tests.support.dashboard_client import Browser, browser_of, dead_letters_of, seen
from tests.support.polling import PATIENCE
from tests.support.showcase import FILES, fill

if TYPE_CHECKING:
    from fastapi import FastAPI

    from queue_lib.admin.admin import Admin
    from tests.support.wires import Mess


async def test_two_operators_at_once(ada: Browser, parts: tuple[FastAPI, FastAPI], mess: Mess) -> None:
    """Each job runs again once, and their two counts add up to the total."""
    await fill(mess, dead=20)
    async with browser_of(parts[0]) as bob:
        await bob.sign_in()
        before = int(mess.redis.llen(f"bull:{FILES.name}:wait"))
        answers = await asyncio.gather(
            *(browser.act(f"/queue/{FILES.name}/retry?wire=bullmq&{seen()}") for browser in (ada, bob)),
            *(browser.act(f"/letters/replay?wire=rq&{seen()}") for browser in (ada, bob)),
        )
    counts = [int(re.findall(r"n=(\d+)", answer.headers["location"])[0]) for answer in answers]

    assert [20, 20] == [sum(counts[:2]), sum(counts[2:])]
    assert 20 == int(mess.redis.llen(f"bull:{FILES.name}:wait")) - before
    assert len(set(mess.redis.lrange(f"bull:{FILES.name}:wait", 0, -1))) == mess.redis.llen(f"bull:{FILES.name}:wait")
    assert [] == await dead_letters_of(ada)


async def test_twenty_operators_at_once(parts: tuple[FastAPI, FastAPI], mess: Mess) -> None:
    """They take turns, and none waits for a connection."""
    await fill(mess, dead=20)
    admin: Admin = parts[0].state.admin
    failed = (await admin.jobs.failed(JobFilter(wire=Wire.RQ))).jobs
    async with asyncio.timeout(PATIENCE):
        assert [True] * 20 == await asyncio.gather(*(admin.jobs.retry(job) for job in failed))
