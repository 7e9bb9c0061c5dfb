"""Who gets memory, and when."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from processors.media.sandbox.memory_budget import OVERTAKEN, RETURN, MemoryBudget

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
    """A budget of 350 bytes, and those who want some of it."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self.clock = Clock()
        self.budget = MemoryBudget(350, self.clock)
        self.tasks: list[asyncio.Task[None]] = []

    async def want(self, need: int, patience: float = LONG) -> asyncio.Task[None]:
        """Stand in line; whoever has memory is done."""
        self.tasks.append(asyncio.create_task(self.budget.take(need, patience)))
        await self.settle()
        return self.tasks[-1]

    async def settle(self) -> None:
        """Let all do what they can."""
        for _ in range(5):
            await asyncio.sleep(0)


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    """Nobody has anything."""
    line = Line()
    yield line
    for task in line.tasks:
        task.cancel()
    await asyncio.gather(*line.tasks, return_exceptions=True)


async def test_who_fits_goes_first(line: Line) -> None:
    """An image that has room beside a video does not stand behind one that has none."""
    await line.want(VIDEO)
    large, small = await line.want(LARGE), await line.want(SMALL)

    assert (False, True) == (large.done(), small.done())


async def test_nobody_is_passed_for_ever(line: Line) -> None:
    """After a while all wait behind the first in line, so that what small ones return is kept for it."""
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


async def test_who_waits_in_vain_gives_up(line: Line) -> None:
    """A slot is not kept for as long as a video takes, and who stood behind goes on."""
    await line.want(VIDEO)
    large = await line.want(LARGE, 0.0)

    with pytest.raises(TimeoutError):
        await large
    line.clock.seconds = OVERTAKEN
    assert (await line.want(SMALL)).done()


async def test_the_next_video_waits_for_who_has_waited_in_vain(line: Line) -> None:
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


async def test_who_does_not_come_again_is_not_waited_for(line: Line) -> None:
    """Its job may have been removed."""
    await line.want(VIDEO)
    await asyncio.gather(await line.want(LARGE, 0.0), return_exceptions=True)
    line.budget.give_back(VIDEO)
    video = await line.want(VIDEO)
    line.clock.seconds = RETURN
    line.budget.give_back(0)  # a look at the line, as there is one when the time is over
    await line.settle()

    assert video.done()


async def test_nothing_is_lost_with_who_is_cancelled(line: Line) -> None:
    """Neither what a job waits for when it is cancelled, nor what it is granted in that moment."""
    await line.want(VIDEO)
    waits, granted = await line.want(VIDEO), await line.want(LARGE)
    waits.cancel()
    await line.settle()
    line.budget.give_back(VIDEO)
    granted.cancel()
    await line.settle()

    assert (True, True) == (waits.cancelled(), granted.cancelled())
    assert (await line.want(350)).done()
