"""The subscriptions that wait to be sent to: a line for each push service."""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from processors.push.delivery import Delivery, End, Sender
from processors.push.services import OTHER, REFUSED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from storage.ports import Subscription

# A job is small at a push service if it sends to at most this many subscriptions there.
SMALL = 10
MAX_ORIGINS = 1000  # told apart. Windows and Apple have many hosts, but fewer than this


@dataclass(slots=True)
class Line:
    """The `rows` at one push service that are still to be sent to; how others ended is added to `ends`.

    `small`: it began with few rows.
    """

    origin: str
    rows: deque[Subscription]
    ends: list[End]
    small: bool

    def end(self, row: Subscription, delivery: Delivery) -> None:
        """The message to this row has ended."""
        self.ends.append(End(row, self.origin, delivery))

    def end_next(self, delivery: Delivery) -> None:
        """End the next row, if there is one, without sending to it."""
        if self.rows:
            self.end(self.rows.popleft(), delivery)


class Lines:
    """Sorts subscriptions by push service."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._origins: dict[str, str] = {}

    def of(self, rows: Iterable[Subscription], ends: list[End]) -> list[Line]:
        """A line for each push service, in the order of the rows, which all add to `ends`."""
        waiting: dict[str, deque[Subscription]] = defaultdict(deque)
        for row in rows:
            waiting[self.origin(row)].append(row)
        return [Line(origin, line, ends, len(line) <= SMALL) for origin, line in waiting.items()]

    def origin(self, row: Subscription) -> str:
        """The push service of a row; `refused` for an endpoint that must not be called."""
        start = "/".join(row.endpoint.split("/", 3)[:3])
        origin = self._origins.get(start)
        if origin is None:
            if len(self._origins) >= MAX_ORIGINS:
                return OTHER
            origin = self._sender.origin(row)
            if origin is None:  # perhaps for this row's path alone
                return REFUSED
            self._origins[start] = origin
        return origin
