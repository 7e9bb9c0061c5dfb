"""The brokers' chores, each in a loop of its own: renew leases, recover lost jobs, clear out what is old."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from queue_lib.errors import BrokerRefusedError, BrokerUnavailableError
from queue_lib.outcome import reason_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from queue_lib.chore import Chore


async def keep(chore: Chore, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
    """Run a chore at once and then again and again, for ever.

    While the broker is away a chore is skipped (the consumers report the outage). If the broker refuses the chore,
    because of the data that it holds, that is logged once. Any other error ends the loop.
    """
    log = structlog.get_logger()
    refusal = None
    while True:
        try:
            await chore.run()
            refusal = None
        except BrokerRefusedError as error:
            if refusal is None:
                log.warning("chore_refused", chore=chore.name, reason=reason_of(error))
            refusal = error
        except BrokerUnavailableError as error:
            log.debug("chore_skipped", chore=chore.name, reason=reason_of(error))
        await sleep(chore.every)
