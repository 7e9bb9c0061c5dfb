"""The last subscriptions of a long list, some of which are sent to before their turn."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence

    from processors.push.delivery import End
    from processors.push.ledger import Ledger
    from processors.push.lines import Lines
    from storage.ports import Subscription

    Send = Callable[[Sequence[Subscription]], Awaitable[list[End]]]
    Admit = Callable[[Sequence[Subscription]], Awaitable[Sequence[Subscription]]]

# The number of last subscriptions that are asked before the first ones decide that the server is refused.
MOST = 5


async def _nobody() -> Sequence[Subscription]:
    return ()


class OtherEnd:
    """Asks the last subscriptions early where the first ones are refused: those may be of an older key.

    `read` gives the last rows of the whole list; a list that is sent to at once has none. `admit` leaves out those that
    must not be sent to now.
    """

    def __init__(self, lines: Lines, ledger: Ledger, admit: Admit) -> None:
        self.read: Callable[[], Awaitable[Sequence[Subscription]]] = _nobody
        self._lines = lines
        self._ledger = ledger
        self._admit = admit
        self._lock = asyncio.Lock()
        self._refused: set[str] = set()  # origins for which it has asked
        self._early: dict[str, End] = {}  # by id: ends of rows whose turn has not come
        self._under_way: set[str] = set()  # ids of rows whose turn it is

    @property
    def asked(self) -> set[str]:
        """The push services that have answered early."""
        return {end.origin for end in self._early.values()}

    @asynccontextmanager
    async def turn(self, rows: Sequence[Subscription]) -> AsyncIterator[tuple[list[Subscription], list[End]]]:
        """Begin the turn of these rows: from here on none of them is asked early.

        Yields the rows that were not asked yet, and the ends of the others.
        """
        ids = {row.id for row in rows}
        async with self._lock:
            self._under_way |= ids
        try:
            early = {row.id: self._early.pop(row.id) for row in rows if row.id in self._early}
            yield [row for row in rows if row.id not in early], list(early.values())
        finally:
            self._under_way -= ids

    async def ask(self, refusing: Collection[str], send: Send) -> None:
        """Send to some of the last rows, unless that was done for all of these push services, which refuse all."""
        async with self._lock:  # another page may do it
            if refused := set(refusing) - self._refused:
                self._refused |= refused
                ends = await send(self._choose(await self._admit(await self.read()), refused))
                self._early |= {end.row.id: end for end in ends if end.delivery.tried}

    def _choose(self, rows: Sequence[Subscription], refused: Collection[str]) -> list[Subscription]:
        """The last rows of push services that refuse, and one row of each other."""
        known = self._under_way | self._early.keys()
        origins = {row: self._lines.origin(row) for row in rows if row.id not in known and row not in self._ledger}
        same = [row for row, origin in origins.items() if origin in refused]
        others = {origin: row for row, origin in origins.items() if origin not in refused}
        return [*same[-MOST:], *[*others.values()][-MOST:]]
