"""Jobs that fail, as the executor leaves them on any wire: in the failed set, and with a letter."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from queue_lib.broker.dead_letters import DeadLetter
from queue_lib.outcome import Failure
from tests.support.mills import Mill, clock

if TYPE_CHECKING:
    from queue_lib.broker.base import Lease

FAILURE = Failure("bad payload: userId", "Traceback: it broke")


async def fail(mill: Mill, lease: Lease, failure: Failure = FAILURE) -> str:
    """Bury a job as the executor does; returns its id."""
    await mill.dead_letters.add(DeadLetter(job=lease.job, failure=failure, failed_at=clock(mill)()))
    await lease.bury(failure)
    return lease.job.id


async def failed(mill: Mill, *names: str, **options: Any) -> list[str]:
    """Failed jobs of these names; returns their ids."""
    broker, ids = await mill.broker(), []
    for number, name in enumerate(names):
        await mill.enqueue(name, {"number": number}, **options)
        ids.append(await fail(mill, await mill.claim(broker)))
        await asyncio.sleep(0.01)  # to tell them apart by time
    return ids
