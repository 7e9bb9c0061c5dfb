"""Which task gets memory, and when."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from processors.sandbox.memory_budget import OVERTAKEN, RETURN, MemoryBudget

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

VIDEO, LARGE, SMALL = 290, 200, 50
LONG = 60.0


class Clock:
    """Seconds, moved by hand."""

    seconds = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.seconds


class Line:
    """A budget of 350 bytes, and the tasks that want some of it."""

    def __init__(self) -> None:
        """Begin without tasks."""
        self.clock = Clock()
        self.budget = MemoryBudget(350, self.clock)
        self.tasks: list[asyncio.Task[None]] = []

    async def want(self, need: int, patience: float = LONG) -> asyncio.Task[None]:
        """Wait for memory; a task that has it is done."""
        self.tasks.append(asyncio.create_task(self.budget.take(need, patience)))
        await self.settle()
        return self.tasks[-1]

    async def settle(self) -> None:
        """Let all tasks go as far as they can."""
        for _ in range(5):
            await asyncio.sleep(0)


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    """All memory is free."""
    line = Line()
    yield line
    for task in line.tasks:
        task.cancel()
    await asyncio.gather(*line.tasks, return_exceptions=True)


async def test_a_task_that_fits_goes_first(line: Line) -> None:
    """An image that fits beside a video does not wait behind one that does not."""
    await line.want(VIDEO)
    large, small = await line.want(LARGE), await line.want(SMALL)

    assert (False, True) == (large.done(), small.done())


async def test_no_task_is_overtaken_for_ever(line: Line) -> None:
    """After a while all wait behind the first in line, and memory that small ones return is kept for it."""
    for _ in range(4):
        await line.want(SMALL)
    large = await line.want(LARGE)
    line.clock.seconds = OVERTAKEN
    small = await line.want(SMALL)
    assert (False, False) == (large.done(), small.done())

    line.budget.give_back(SMALL)
    await line.settle()
    assert (True, False) == (large.done(), small.done())
    line.budget.give_back(SMALL)
    await line.settle()
    assert small.done()


async def test_a_task_that_waits_too_long_gives_up(line: Line) -> None:
    """It does not keep its slot during a whole video, and those behind it go on."""
    await line.want(VIDEO)
    large = await line.want(LARGE, 0.0)

    with pytest.raises(TimeoutError):
        await large
    line.clock.seconds = OVERTAKEN
    assert (await line.want(SMALL)).done()


async def test_the_next_video_waits_for_a_task_that_gave_up(line: Line) -> None:
    """However many videos there are, a large image has its turn between two of them."""
    await line.want(VIDEO)
    await asyncio.gather(await line.want(LARGE, 0.0), return_exceptions=True)
    line.budget.give_back(VIDEO)
    video = await line.want(VIDEO)
    assert not video.done()

    assert (await line.want(LARGE)).done()
    assert not video.done()
    line.budget.give_back(LARGE)
    await line.settle()
    assert video.done()


async def test_a_task_that_does_not_return_is_not_waited_for(line: Line) -> None:
    """Its job may have been removed."""
    await line.want(VIDEO)
    await asyncio.gather(await line.want(LARGE, 0.0), return_exceptions=True)
    line.budget.give_back(VIDEO)
    video = await line.want(VIDEO)
    line.clock.seconds = RETURN
    line.budget.give_back(0)  # a look at the line, as there is one when the time is over
    await line.settle()

    assert video.done()


async def test_a_cancelled_task_leaks_no_memory(line: Line) -> None:
    """Neither while it waits, nor in the moment in which it gets its memory."""
    await line.want(VIDEO)
    waits, granted = await line.want(VIDEO), await line.want(LARGE)
    waits.cancel()
    await line.settle()
    line.budget.give_back(VIDEO)
    granted.cancel()
    await line.settle()

    assert (True, True) == (waits.cancelled(), granted.cancelled())
    assert (await line.want(350)).done()
