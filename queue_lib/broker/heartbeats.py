"""Where worker processes leave their heartbeats, and where the admin reads them."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol
from uuid import uuid4

from pydantic import ValidationError

from queue_lib.broker.trouble import outages_translated
from queue_lib.observe.worker_stats import MINUTE, NAMES_SPAN, SPAN, WorkerView

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import redis.asyncio

    from queue_lib.observe.worker_stats import Counts

SILENCE = 60  # seconds after its last heartbeat at which a worker is forgotten
KEPT = 24 * 3600  # seconds that counts are kept
MOST_WORKERS = 500
# The script and its keys keep the older word "pulse": workers of earlier versions share them.
SCRIPT = (Path(__file__).parent / "pulse.lua").read_text()
Kind = Literal["minute", "span", "names"]
Place = tuple[Kind, str, int]  # of counts: the queue, and the number of the minute or span since the epoch
READ = (Path(__file__).parent / "minutes.lua").read_text()


@dataclass(frozen=True, slots=True)
class Data:
    """Identifies the server's data: an id that is drawn when there is none, and how many heartbeats it has taken."""

    id: str
    heartbeats: int

    def follows(self, earlier: Data) -> bool:
        """Whether nothing was lost since `earlier`, as far as heartbeats can show."""
        return self.id == earlier.id and self.heartbeats > earlier.heartbeats


class Heartbeats(Protocol):
    """The heartbeats of all processes. Every call may raise BrokerUnavailableError."""

    async def send(self, worker: WorkerView, counts: Counts) -> Data:
        """Keep what a worker says of itself for 60 seconds, and add what it has counted to the queues' minutes."""

    async def sign_off(self, name: str) -> None:
        """Forget a worker; what it has counted stays."""

    async def workers(self) -> list[WorkerView]:
        """The workers that have been heard of within 60 seconds, by name."""

    async def minutes(self, queue: str, numbers: Sequence[int]) -> list[dict[str, int]]:
        """What was counted in each of these minutes (numbered since the epoch)."""

    async def spans(self, queue: str, numbers: Sequence[int]) -> list[dict[str, int]]:
        """The same of spans of ten minutes."""

    async def names(self, queue: str, numbers: Sequence[int]) -> list[dict[str, int]]:
        """What was counted in each of these half-hours by the names of jobs: each key ends in a space and a name."""


class RedisHeartbeats:
    """In Redis: one script for each heartbeat, so that it costs an idle worker one command."""

    def __init__(self, client: redis.asyncio.Redis, prefix: str) -> None:
        """`client` decodes replies; it stays the caller's to close. `prefix` is BullMQ's."""
        self._client = client
        self._prefix = f"{prefix}:pulse"
        self._send = client.register_script(SCRIPT)
        self._read = client.register_script(READ)

    async def send(self, worker: WorkerView, counts: Counts) -> Data:
        """Run the script."""
        portions = [portion for key, counted in counts.items() for portion in _portions(*key, counted)]
        keys = [self._key(*place) for place, _ in portions]
        with outages_translated():
            data_id, heartbeats = await self._send(
                keys=[self._workers, self._worker(worker.name), f"{self._prefix}:data", *keys],
                args=[
                    *(worker.name, worker.model_dump_json(by_alias=True), SILENCE, KEPT, uuid4().hex),
                    *(json.dumps(counted) for _, counted in portions),
                ],
            )
        return Data(data_id, heartbeats)

    async def sign_off(self, name: str) -> None:
        """Delete both; without a pipeline, which would open a connection."""
        with outages_translated():
            await self._client.zrem(self._workers, name)
            await self._client.delete(self._worker(name))

    async def workers(self) -> list[WorkerView]:
        """Read those whose entry has not expired; by the server's clock they were seen."""
        with outages_translated():
            found: Any = await self._client.zrevrange(self._workers, 0, MOST_WORKERS - 1, withscores=True)
            seen: list[tuple[str, float]] = [tuple(entry) for entry in found]
            told = await self._client.mget([self._worker(name) for name, _ in seen]) if seen else []
        views = (_view(text, at) for text, (_, at) in zip(told, seen, strict=True) if text is not None)
        return sorted((view for view in views if view is not None), key=lambda view: view.name)

    async def minutes(self, queue: str, numbers: Sequence[int]) -> list[dict[str, int]]:
        """Run the script."""
        return await self._counts("minute", queue, numbers)

    async def spans(self, queue: str, numbers: Sequence[int]) -> list[dict[str, int]]:
        """Run the script."""
        return await self._counts("span", queue, numbers)

    async def names(self, queue: str, numbers: Sequence[int]) -> list[dict[str, int]]:
        """Run the script."""
        return await self._counts("names", queue, numbers)

    async def _counts(self, kind: Kind, queue: str, numbers: Sequence[int]) -> list[dict[str, int]]:
        with outages_translated():
            found: Any = await self._read(keys=[self._key(kind, queue, number) for number in numbers])
        return [
            {what: int(text) for what, text in zip(words[::2], words[1::2], strict=True) if _is_count(text)}
            for words in found
        ]

    @property
    def _workers(self) -> str:
        return f"{self._prefix}:workers"

    def _worker(self, name: str) -> str:
        return f"{self._prefix}:worker:{name}"

    def _key(self, kind: Kind, queue: str, number: int) -> str:
        return f"{self._prefix}:{kind}:{queue}:{number}"


def _portions(queue: str, minute: int, counts: Mapping[str, int]) -> Iterator[tuple[Place, Mapping[str, int]]]:
    """The hashes to which counts are added: the minute's, its span's, and that of its half-hour by name."""
    plain = {what: count for what, count in counts.items() if " " not in what}
    named = {what: count for what, count in counts.items() if " " in what}
    yield ("minute", queue, minute), plain
    yield ("span", queue, minute * MINUTE // SPAN), plain
    if named:
        yield ("names", queue, minute * MINUTE // NAMES_SPAN), named


def _view(text: Any, seen_at: float) -> WorkerView | None:
    """The worker; None for an entry that is none."""
    try:
        return WorkerView.model_validate_json(text).model_copy(update={"seen_at": seen_at})
    except ValidationError:
        return None


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 16  # noqa: PLR2004 -- what a number of JavaScript can hold


class MemoryHeartbeats:
    """The fake."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives seconds since the epoch."""
        self._clock = clock
        self._heartbeats = 0
        self._workers: dict[str, WorkerView] = {}
        self._counts: dict[Place, Counter[str]] = {}

    async def send(self, worker: WorkerView, counts: Counts) -> Data:
        """Keep both."""
        self._heartbeats += 1
        self._workers[worker.name] = worker.model_copy(update={"seen_at": self._clock()})
        for key, counted in counts.items():
            for place, portion in _portions(*key, counted):
                self._counts.setdefault(place, Counter()).update(portion)
        return Data("memory", self._heartbeats)

    async def sign_off(self, name: str) -> None:
        """Forget it."""
        self._workers.pop(name, None)

    async def workers(self) -> list[WorkerView]:
        """Those that are not silent."""
        now = self._clock()
        heard = (view for view in self._workers.values() if now - view.seen_at < SILENCE)
        return sorted(heard, key=lambda view: view.name)

    async def minutes(self, queue: str, numbers: Sequence[int]) -> list[dict[str, int]]:
        """What was counted."""
        return [dict(self._counts.get(("minute", queue, number), {})) for number in numbers]

    async def spans(self, queue: str, numbers: Sequence[int]) -> list[dict[str, int]]:
        """What was counted."""
        return [dict(self._counts.get(("span", queue, number), {})) for number in numbers]

    async def names(self, queue: str, numbers: Sequence[int]) -> list[dict[str, int]]:
        """What was counted."""
        return [dict(self._counts.get(("names", queue, number), {})) for number in numbers]
