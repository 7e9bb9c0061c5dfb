"""Which subscriptions must not be sent to now: those of users who do not want the message, or not yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.push.options import Urgency
from processors.reach.choice import MUTED, Channel, Occasion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from processors.push.options import BatchOptions
    from processors.reach.reach import Reach
    from storage.ports import Subscription


class Admission:
    """What the preferences of the app's users say of one message. Without a table of them, all rows are admitted."""

    def __init__(self, reach: Reach | None, options: BatchOptions) -> None:
        self._reach = reach
        passes = options.urgency is Urgency.HIGH
        self._occasion = Occasion(Channel.PUSH, options.type, options.quiet, passes=passes)

    async def withheld(self, rows: Sequence[Subscription]) -> dict[str, float]:
        """The ids of rows that are not admitted, and until when: seconds since the epoch, or MUTED.

        Raises SnoozeError while the database is away.
        """
        if self._reach is None:
            return {}
        users = await self._reach.withheld({row.user_id for row in rows}, self._occasion)
        return {row.id: users[row.user_id] for row in rows if row.user_id in users}

    async def wait(self, user_id: str) -> float:
        """Seconds until the user's quiet hours end; 0 if the message does not wait for them. Raises as `withheld`."""
        wait = 0.0 if self._reach is None else await self._reach.wait(user_id, self._occasion)
        return wait if wait < MUTED else 0.0

    async def now(self, rows: Sequence[Subscription]) -> list[Subscription]:
        """Those of the rows that are admitted now."""
        withheld = await self.withheld(rows)
        return [row for row in rows if row.id not in withheld]
