"""Who gets the next slot, and how much may be held ready for whom."""

from __future__ import annotations

import asyncio

from queue_lib.job import Wire
from queue_lib.runner.slots import Slots


async def test_room_is_for_who_is_next() -> None:
    """A wire may count on all slots while no other waits, the first of two on one, the other on none."""
    slots = Slots(2)
    assert [2, 2] == [slots.room(wire) for wire in Wire]
    await slots.acquire(Wire.BULLMQ)
    await slots.acquire(Wire.BULLMQ)
    assert slots.all_taken()
    first = asyncio.create_task(slots.acquire(Wire.BULLMQ))
    await asyncio.sleep(0)
    assert (2, 0) == (slots.room(Wire.BULLMQ), slots.room(Wire.RQ))
    second = asyncio.create_task(slots.acquire(Wire.RQ))
    await asyncio.sleep(0)
    assert (1, 0) == (slots.room(Wire.BULLMQ), slots.room(Wire.RQ))
    slots.release()
    await first
    assert (0, 2) == (slots.room(Wire.BULLMQ), slots.room(Wire.RQ))
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    assert [2, 2] == [slots.room(wire) for wire in Wire]
