"""Gatherings: events of several jobs that one of these jobs takes together."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from queue_lib.broker.trouble import outages_translated
from queue_lib.processor import Gathered

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import redis.asyncio

KEPT, KEPT_BYTES = 1000, 1024 * 1024  # of the events of a gathering; older ones are only counted
SCRIPT = (Path(__file__).parent / "gather.lua").read_text()


class RedisGatherings:
    """Gatherings in Redis, by the server's clock."""

    def __init__(self, client: redis.asyncio.Redis, prefix: str) -> None:
        """`client` decodes replies; `prefix` is BullMQ's."""
        self._client = client
        self._prefix = f"{prefix}:pushmill:gathered"
        self._run = client.register_script(SCRIPT)

    async def gather(self, gathering: str, member: str, event: str, seconds: float) -> Gathered:
        """Run the script."""
        key = f"{self._prefix}:{gathering}"
        with outages_translated():
            word, *told = await self._run(
                keys=[key, f"{key}:by:{member}", f"{key}:members"],
                args=[member, event, round(seconds * 1000), KEPT, KEPT_BYTES],
            )
        if word == "take":
            return Gathered(told[1:], int(told[0]))
        return Gathered(wait=int(told[0]) / 1000 if told else None)

    async def forget(self, gathering: str, member: str) -> None:
        """Delete the list."""
        with outages_translated():
            await self._client.delete(f"{self._prefix}:{gathering}:by:{member}")


@dataclass(slots=True)
class _Open:
    """A gathering that is open until `due`."""

    due: float
    first: str
    events: list[str] = field(default_factory=list)
    left_out: int = 0


class MemoryGatherings:
    """The fake."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` gives seconds."""
        self._clock = clock
        self._open: dict[str, _Open] = {}
        self._taken: dict[tuple[str, str], Gathered] = {}
        self._members: set[tuple[str, str]] = set()

    def gather(self, gathering: str, member: str, event: str, seconds: float) -> Gathered:
        """See the port."""
        if taken := self._taken.get((gathering, member)):
            return taken
        now, has_come = self._clock(), (gathering, member) in self._members
        opened = self._open.get(gathering)
        if not has_come:
            opened = self._open.setdefault(gathering, opened or _Open(now + seconds, member))
            self._add(opened, event)
            self._members.add((gathering, member))
        if opened is None or (has_come and opened.first != member):
            return Gathered()
        if now < opened.due:
            return Gathered(wait=opened.due - now if opened.first == member else None)
        del self._open[gathering]
        self._taken[gathering, member] = taken = Gathered(opened.events, opened.left_out)
        return taken

    def forget(self, gathering: str, member: str) -> None:
        """See the port."""
        self._taken.pop((gathering, member), None)

    def _add(self, opened: _Open, event: str) -> None:
        opened.events.append(event)
        while len(opened.events) > 1 and (len(opened.events) > KEPT or _bytes(opened.events) > KEPT_BYTES):
            del opened.events[0]
            opened.left_out += 1


def _bytes(events: Sequence[str]) -> int:
    return sum(len(event.encode()) for event in events)
