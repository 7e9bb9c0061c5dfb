"""`housekeeping`: what Pushmill itself leaves behind, once a day."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from processors.maintenance.cleanup import MARGIN, PAUSE
from processors.maintenance.payload import HousekeepingPayload, HousekeepingResult, Pruned
from processors.outage import outages_put_off
from queue_lib.errors import SnoozeError
from queue_lib.queues import DAY

if TYPE_CHECKING:
    from collections.abc import Callable

    from processors.maintenance.cleanup import Cleanup, CleanupDependencies
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

    def __init__(self, cleanup: Cleanup, dependencies: CleanupDependencies, ended: Ended | None) -> None:
        self._cleanup, self._shared, self._ended = cleanup, dependencies, ended

    async def __call__(self, _payload: HousekeepingPayload, context: Context, /) -> HousekeepingResult:
        """Run one job, or a part of it: it raises SnoozeError if another run has to go on."""
        exports = None
        if EXPORTS in self._shared.places.stores:
            place = self._shared.places.of(EXPORTS)
            exports = await self._cleanup.files(place, EXPORTS_AGE, context, dry_run=False)
        with outages_put_off():
            pruned = None if self._ended is None else await self._prune(self._ended, context)
        return HousekeepingResult(subscriptions=pruned, exports=exports)

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
            await self._shared.sleep(PAUSE)
        return Pruned(looked=looked, pruned=pruned)
