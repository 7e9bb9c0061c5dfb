"""Failed jobs, as the executor leaves them on any wire: in the failed set, and with a dead letter."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from queue_lib.broker.dead_letters import DeadLetter
from queue_lib.outcome import Failure
from tests.support.wire_kit import WireKit, clock

if TYPE_CHECKING:
    from queue_lib.broker.base import Lease

FAILURE = Failure("bad payload: userId", "Traceback: it broke")


async def fail(kit: WireKit, lease: Lease, failure: Failure = FAILURE) -> str:
    """Bury a job as the executor does; returns its id."""
    await kit.dead_letters.add(DeadLetter(job=lease.job, failure=failure, failed_at=clock(kit)()))
    await lease.bury(failure)
    return lease.job.id


async def failed(kit: WireKit, *names: str, **options: Any) -> list[str]:
    """Failed jobs of these names; returns their ids."""
    broker, ids = await kit.broker(), []
    for number, name in enumerate(names):
        await kit.enqueue(name, {"number": number}, **options)
        ids.append(await fail(kit, await kit.claim(broker)))
        await asyncio.sleep(0.01)  # to tell them apart by time
    return ids
