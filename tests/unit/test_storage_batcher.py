"""Look-ups that share queries."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from storage.batcher import Batcher

if TYPE_CHECKING:
    from collections.abc import Sequence


class Table:
    """A table that doubles numbers, once the test lets it; 13 raises an error."""

    def __init__(self) -> None:
        """No key was asked for."""
        self.asked: list[list[int]] = []
        self.open = asyncio.Event()

    async def look_up(self, keys: Sequence[int]) -> dict[int, int]:
        """Answer for all keys."""
        self.asked.append(list(keys))
        await self.open.wait()
        if 13 in keys:
            msg = "broken"
            raise OSError(msg)
        return {key: key * 2 for key in keys}


async def begun(*waiting: asyncio.Task[int]) -> None:
    """Let the tasks get to where they wait."""
    for _ in range(3 + len(waiting)):
        await asyncio.sleep(0)


async def test_keys_that_come_meanwhile_share_a_look_up() -> None:
    """The first key is asked for at once; those that come before its answer share the next look-up."""
    table = Table()
    batcher = Batcher(table.look_up, most=100)
    first = asyncio.create_task(batcher.get(1))
    await begun(first)
    others = [asyncio.create_task(batcher.get(key)) for key in (2, 3, 2)]
    await begun(*others)

    table.open.set()

    assert [2, 4, 6, 4] == [await each for each in (first, *others)]
    assert [[1], [2, 3]] == table.asked


async def test_no_look_up_is_too_large() -> None:
    """More keys than fit into one look-up go into several."""
    table = Table()
    table.open.set()
    batcher = Batcher(table.look_up, most=2)

    assert [0, 2, 4, 6, 8] == await asyncio.gather(*(batcher.get(key) for key in range(5)))
    assert [[0, 1], [2, 3], [4]] == table.asked


async def test_an_error_reaches_all_of_its_look_up() -> None:
    """The next look-up starts anew."""
    table = Table()
    table.open.set()
    batcher = Batcher(table.look_up, most=2)

    ends = await asyncio.gather(*(batcher.get(key) for key in (1, 13, 3)), return_exceptions=True)

    assert ["OSError('broken')", "OSError('broken')", "6"] == [repr(end) for end in ends]
    assert 8 == await batcher.get(4)


async def test_a_cancelled_caller_takes_nothing_from_the_others() -> None:
    """It ends alone, whether its look-up succeeds or fails."""
    table = Table()
    batcher = Batcher(table.look_up, most=100)
    leaving, staying = asyncio.create_task(batcher.get(1)), asyncio.create_task(batcher.get(1))
    broken = asyncio.create_task(batcher.get(13))
    await begun(leaving, staying, broken)
    leaving.cancel()
    broken.cancel()
    await begun(leaving, broken)

    table.open.set()

    with pytest.raises(OSError, match="broken"):
        await staying
    assert (True, True) == (leaving.cancelled(), broken.cancelled())
    assert 4 == await batcher.get(2)
