"""One rate limit for a queue, whichever wire its jobs come by and however many processes serve it."""

from __future__ import annotations

import asyncio
import contextlib
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
import redis.asyncio

from tests.support.chaos_worker import PUSHES
from tests.support.polling import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.wires import Mess

JOBS, LIMIT, WINDOW = 250, 100, 1.0  # jobs on each wire; jobs in a window, over both; seconds
PRECISION = 0.005  # seconds between the moment that a script takes for now and the moment that MONITOR shows

Command = tuple[float, str]


@pytest.mark.parametrize("processes", [1, 2])
async def test_five_hundred_jobs_at_a_hundred_a_second(mess: Mess, processes: int) -> None:
    """Both wires together start a hundred jobs in a window, no more, and lose no time between the windows.

    A window is BullMQ's: a counter that expires one second after the first job that it counts, so that the next window
    begins with the first job after that, not on the clock's second. Both are read from the server itself (MONITOR):
    an INCR of the counter is a job, a PEXPIRE of it the beginning of a window. Five windows are thus four seconds at
    the least, from the first job to the last.
    """
    ids = {*await mess.bullmq("nap", *[{}] * JOBS), *mess.rq("nap", *[{}] * JOBS)}
    limited = {"PUSH_NOTIFICATIONS_RATE_MAX": str(LIMIT), "PUSH_NOTIFICATIONS_RATE_DURATION": str(WINDOW)}

    async with _watched(mess.url) as commands, contextlib.AsyncExitStack() as workers:
        await asyncio.gather(*(workers.enter_async_context(mess.worker(**limited)) for _ in range(processes)))
        await until(lambda: mess.done() >= ids, 15, lambda: f"{len(mess.done())} done; {_windows(commands)}")

    begins, counts = zip(*_windows(commands), strict=True)
    assert 2 * JOBS == sum(counts)
    assert max(counts) <= LIMIT
    assert min(later - earlier for earlier, later in pairwise(begins)) > WINDOW - PRECISION
    starts = sorted(line["at"] for line in mess.record if line["event"] == "start")
    assert 2 * JOBS == len(starts)
    assert 4 * WINDOW <= starts[-1] - starts[0] <= 8 * WINDOW
    assert {"bullmq", "rq"} == {line["wire"] for line in mess.record[:LIMIT]}  # neither wire starves the other
    assert processes == len({line["pid"] for line in mess.record})


@contextlib.asynccontextmanager
async def _watched(url: str) -> AsyncIterator[list[Command]]:
    """Every INCR and PEXPIRE of the limiter, as they happen."""
    key = f"bull:{PUSHES}:limiter"
    commands: list[Command] = []

    async def watch(monitor: redis.asyncio.client.Monitor) -> None:
        async for line in monitor.listen():
            word, _, rest = line["command"].partition(" ")
            if word.lower() in {"incr", "pexpire"} and rest.startswith(key):
                commands.append((line["time"], word.lower()))

    async with redis.asyncio.Redis.from_url(url, socket_timeout=30) as client, client.monitor() as monitor:
        watching = asyncio.create_task(watch(monitor))
        try:
            yield commands
        finally:
            watching.cancel()
            await asyncio.wait([watching])


def _windows(commands: list[Command]) -> list[tuple[float, int]]:
    """When each window began, and how many jobs it counted: its first one is the INCR before the PEXPIRE."""
    first = [number - 1 for number, (_, word) in enumerate(commands) if word == "pexpire"]
    windows = [commands[begin:end] for begin, end in zip(first, [*first[1:], len(commands)], strict=True)]
    return [(window[0][0], sum(word == "incr" for _, word in window)) for window in windows]
