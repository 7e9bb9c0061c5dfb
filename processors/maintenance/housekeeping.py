"""`housekeeping`: what Pushmill itself leaves behind, once a day."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from processors.maintenance.cleanup import MARGIN, PAUSE, faults_told
from processors.maintenance.payload import HousekeepingPayload, HousekeepingResult, Pruned
from processors.outage import outages_put_off
from queue_lib.errors import PermanentError, SnoozeError, TransientError
from queue_lib.queues import DAY

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from processors.maintenance.cleanup import Cleanup
    from processors.maintenance.payload import CleanupResult
    from processors.maintenance.places import Place
    from queue_lib.processor import Context
    from storage.ports import Subscription, Subscriptions

EXPORTS = "exports"  # the prefix of what exports write
EXPORTS_AGE = 7 * DAY  # seconds
PAGE = 1000  # rows
POSITION = "position"  # the note's key


@dataclass(frozen=True, slots=True)
class Ended:
    """Push subscriptions of which `has_ended` says that nobody can be reached by them any more."""

    subscriptions: Subscriptions
    has_ended: Callable[[Subscription, float], bool]


class Housekeeping:
    """Does what is configured, and leaves out the rest."""

    def __init__(
        self,
        cleanup: Cleanup,
        exports: Place | None,
        ended: Ended | None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`exports` is where the object store has them, if they may be deleted; `ended` is None if no row may be."""
        self._cleanup, self._exports, self._ended, self._sleep = cleanup, exports, ended, sleep

    async def __call__(self, _payload: HousekeepingPayload, context: Context, /) -> HousekeepingResult:
        """Run one job, or a part of it: it raises SnoozeError if another run has to go on."""
        exports, refused = None, None
        try:
            exports = await self._old_exports(context)
        except (PermanentError, TransientError) as error:
            refused = error
        with outages_put_off():
            pruned = None if self._ended is None else await self._prune(self._ended, context)
        if refused is not None:
            raise refused
        return HousekeepingResult(subscriptions=pruned, exports=exports)

    async def _old_exports(self, context: Context) -> CleanupResult | None:
        if self._exports is None:
            return None
        with faults_told():
            return await self._cleanup.files(self._exports, EXPORTS_AGE, context, dry_run=False)

    async def _prune(self, ended: Ended, context: Context) -> Pruned:
        """Look at all rows, page by page. The id after which the next page begins is noted where the time is over."""
        after, looked, pruned = (await context.notes()).get(POSITION), 0, 0
        while page := await ended.subscriptions.page(after, PAGE):
            now = time.time()
            found = [row for row in page if ended.has_ended(row, now)]
            looked += len(page)
            pruned += await ended.subscriptions.prune(found) if found else 0
            after = page[-1].id
            if context.remaining() < MARGIN:
                await context.note({POSITION: after})
                msg = "its time is nearly over; the rest follows in another run"
                raise SnoozeError(msg, 0.0)
            await self._sleep(PAUSE)
        return Pruned(looked=looked, pruned=pruned)
