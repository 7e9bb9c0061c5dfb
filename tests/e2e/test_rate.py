"""One rate limit for a queue, whichever wires its jobs come by and however many processes serve it."""

from __future__ import annotations

import asyncio
import contextlib
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tests.support.polling import until
from tests.support.windows import PRECISION, watched, windows

if TYPE_CHECKING:
    from tests.support.wires import Mess

JOBS, LIMIT, WINDOW = 250, 100, 1.0  # jobs on each wire; jobs in a window, over both; seconds


@pytest.mark.parametrize("processes", [1, 2])
async def test_five_hundred_jobs_at_a_hundred_a_second(mess: Mess, processes: int) -> None:
    """Both wires together start a hundred jobs in a window, no more, and lose no time between the windows.

    A window is BullMQ's: a counter that expires one second after the first job that it counts, so that the next window
    begins with the first job after that, not on the clock's second. Both are read from the server itself (MONITOR):
    an INCR of the counter is a job, a PEXPIRE of it the beginning of a window. A busy machine may be late with any
    window, so it is the shortest way from one to the next that shows whether the worker wakes up in time.
    """
    ids = {*await mess.bullmq("nap", *[{}] * JOBS), *mess.rq("nap", *[{}] * JOBS)}
    limited = {"PUSH_NOTIFICATIONS_RATE_MAX": str(LIMIT), "PUSH_NOTIFICATIONS_RATE_DURATION": str(WINDOW)}

    async with watched(mess.url) as commands, contextlib.AsyncExitStack() as workers:
        await asyncio.gather(*(workers.enter_async_context(mess.worker(**limited)) for _ in range(processes)))
        await until(lambda: mess.done() >= ids, why=lambda: f"{len(mess.done())} done; {windows(commands)}")

    begins, counts = zip(*windows(commands), strict=True)
    assert 2 * JOBS == sum(counts)
    assert max(counts) <= LIMIT
    assert WINDOW - PRECISION < min(later - earlier for earlier, later in pairwise(begins)) < 1.5 * WINDOW
    assert 2 * JOBS == sum(line["event"] == "start" for line in mess.record)
    assert {"bullmq", "rq"} == {line["wire"] for line in mess.record[:LIMIT]}  # neither wire starves the other
    assert processes == len({line["pid"] for line in mess.record})
