"""Dead letters: list, read, replay, drop."""

from __future__ import annotations

import enum
import hashlib
import math
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from queue_lib.addition import Addition
from queue_lib.admin.backends import log_fields
from queue_lib.admin.bulk import for_each
from queue_lib.admin.letter_groups import Groups, grouped
from queue_lib.admin.reading import Reading
from queue_lib.broker.dead_letters import dead_letter_id
from queue_lib.plain_json import is_note

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from structlog.typing import FilteringBoundLogger

    from queue_lib.admin.backends import Backends
    from queue_lib.admin.bulk import Bulk
    from queue_lib.admin.filters import JobFilter
    from queue_lib.admin.ports import JobView
    from queue_lib.broker.dead_letters import DeadLetterView

T = TypeVar("T")
AT_ONCE = 25  # dead letters that are read whole at once: each may have a payload of megabytes
FIRST, BRIEFS = 50, 250  # dead letters that are read at once without these: first a few, which may be large
NEAR = 1000  # newer letters that stay, and that the server may walk past to drop one


class Replay(enum.StrEnum):
    """What became of a dead letter that was to be replayed."""

    RETRIED = "retried"  # the job was in its failed set, and runs again
    ENQUEUED = "enqueued"  # the job was gone, and a new one has its payload
    NOT_FAILED = "not failed"  # the job is waiting, running or done by now: the dead letter stays, to be dropped
    NO_PAYLOAD = "no payload"  # the job is gone, and its payload is not in the dead letter: its `data` says why
    GONE = "gone"  # another operator has replayed or dropped it meanwhile


REPLAYED = frozenset({Replay.RETRIED, Replay.ENQUEUED})


@dataclass(frozen=True, slots=True)
class Newest:
    """Dead letters of `total`, the newest first. `resume` is how many newer ones to skip next; None at the end."""

    letters: list[DeadLetterView]
    resume: int | None
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Within:
    """Which dead letters are looked at: `most`, from the `start`-th newest on, and no more after so many seconds."""

    start: int = 0
    most: int = sys.maxsize
    seconds: float = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How far one action on dead letters goes: to `limit` of them, from the `start`-th newest on, for about `seconds`.

    Half of the time at most is for finding them.
    """

    limit: int
    seconds: float = math.inf
    start: int = 0


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many dead letters were replayed. `more`: there are others; replay again."""

    replayed: int
    more: bool


@dataclass(frozen=True, slots=True)
class Dropped:
    """How many dead letters were dropped. `more`: there are others; drop again."""

    dropped: int
    more: bool


class DeadLetterAdmin:
    """Looks at dead letters, and acts on one or many."""

    def __init__(self, backends: Backends, log: FilteringBoundLogger) -> None:
        """`log` names the operator."""
        self._backends = backends
        self._store = backends.dead_letters
        self._log = log

    async def count(self) -> int | None:
        """How many there are; None if their keys can't be read."""
        return await Reading()(self._store.count())

    async def page(self, start: int, count: int) -> list[DeadLetterView]:
        """Up to `count` from number `start` on, the oldest first; without payloads and stack traces."""
        return await self._store.briefs(start, count)

    async def newest(self, wanted: JobFilter, within: Within, count: int, *, to_settle: bool = False) -> Newest:
        """Those that the filter admits, the newest first, until there are `count`, or rarely some more.

        They are without payloads and stack traces, so the filter's `words` are not looked for there. Those that are to
        be settled, and lie behind many others, become the newest ones: they are dropped in little time. Not where some
        of the newest are passed over: those that are not settled after all would be among them.
        """
        now, until = self._backends.clock(), time.monotonic() + within.seconds
        found: list[DeadLetterView] = []
        total = await self._store.count()
        end, step = total - within.start, min(count, FIRST, BRIEFS)
        stop = max(end - within.most, 0)
        while end > stop:
            first = max(end - step, stop)
            page = await self._store.briefs(first, end - first)
            meant = [letter for letter in reversed(page) if wanted.admits(letter, letter.failed_at / 1000, now)]
            if to_settle and not within.start and meant and total - end - len(found) > NEAR:
                await self._store.gather(first, end - first, [letter.letter_id for letter in meant])
            found += meant
            end, step = first, min(2 * step, BRIEFS)
            if len(found) >= count or time.monotonic() > until:
                break
        return Newest(found, total - end if end > 0 else None, total)

    async def groups(self, wanted: JobFilter, within: Within) -> Groups:
        """The groups of those that the filter admits."""
        found = await self.newest(wanted, within, within.most)
        return Groups(grouped(found.letters), found.resume, found.total)

    async def find(self, letter_id: str) -> DeadLetterView | None:
        """One dead letter whole; None if there is none."""
        return await self._store.find(letter_id)

    async def of(self, job: JobView) -> DeadLetterView | None:
        """The dead letter of a job; None if there is none."""
        return await self._store.find(dead_letter_id(job.wire, job.queue, job.id))

    async def each(self, wanted: JobFilter, *, brief: bool = False) -> AsyncIterator[DeadLetterView]:
        """Those that the filter admits, the oldest first. Drop none meanwhile: those behind move up.

        A `brief` one has no payload and no stack trace.
        """
        self._backends.chosen(wanted.queue)
        now = self._backends.clock()
        read, step = (self._store.briefs, BRIEFS) if brief else (self._store.page, AT_ONCE)
        for start in range(0, await self._store.count(), step):
            for letter in await read(start, step):
                if wanted.admits(letter, letter.failed_at / 1000, now):
                    yield letter

    async def each_to_settle(self, wanted: JobFilter) -> AsyncIterator[DeadLetterView]:
        """The same, each of which may be replayed or dropped before the next is asked for.

        Those that are admitted and stay become the newest ones.
        """
        self._backends.chosen(wanted.queue)
        now, start, left = self._backends.clock(), 0, await self._store.count()
        while left > 0:
            count = min(left, AT_ONCE)
            page = await self._store.page(start, count)
            meant = [letter for letter in page if wanted.admits(letter, letter.failed_at / 1000, now)]
            moved = await self._store.gather(start, count, [letter.letter_id for letter in meant])
            start, left = start + count - moved, left - count
            for letter in meant:
                yield letter

    async def replay(self, letter: DeadLetterView) -> Replay:
        """Run the job of a whole dead letter again, on its own wire and from its first attempt; then drop the letter.

        Doing it twice does it once: a job that is gone is enqueued under an id made of the dead letter's.
        """
        inspector = self._backends.on(letter.wire)
        job = await inspector.find(letter.queue, letter.id)
        if job is not None and await inspector.retry(letter.queue, letter.id):
            outcome = Replay.RETRIED
        elif job is not None:
            return Replay.NOT_FAILED
        elif is_note(letter.data):
            return Replay.NO_PAYLOAD
        else:
            digest = hashlib.sha256(letter.letter_id.encode(errors="replace")).hexdigest()[:32]
            again = Addition(name=letter.name, data=letter.data, job_id=f"replay-{digest}")
            await inspector.add(letter.queue, again)
            outcome = Replay.ENQUEUED
        await self._store.drop(letter.letter_id, letter.failed_at)  # not the new one, if it has failed again by now
        self._log.info("letter_replayed", outcome=outcome.value, **log_fields(letter))
        return outcome

    async def replay_many(self, wanted: JobFilter, bounds: Bounds) -> Replayed:
        """Replay those that the filter admits, the newest first."""
        done = await self._to_newest(self._replay_brief, wanted, bounds)
        return Replayed(sum(outcome in REPLAYED for outcome in done.outcomes), done.more)

    async def drop_many(self, wanted: JobFilter, bounds: Bounds) -> Dropped:
        """Drop those that the filter admits, the newest first."""
        done = await self._to_newest(self.drop, wanted, bounds)
        return Dropped(sum(done.outcomes), done.more)

    async def _to_newest(
        self, act: Callable[[DeadLetterView], Awaitable[T]], wanted: JobFilter, bounds: Bounds
    ) -> Bulk[T]:
        until = time.monotonic() + bounds.seconds
        within = Within(start=bounds.start, seconds=bounds.seconds / 2)
        found = await self.newest(wanted, within, bounds.limit, to_settle=True)
        done = await for_each(found.letters[: bounds.limit], act, until - time.monotonic())
        done.more = done.more or found.resume is not None or len(found.letters) > bounds.limit
        return done

    async def _replay_brief(self, letter: DeadLetterView) -> Replay:
        whole = await self._store.find(letter.letter_id)
        if whole is None or whole.failed_at != letter.failed_at:  # the job has failed again, maybe of something else
            return Replay.GONE
        return await self.replay(whole)

    async def drop(self, letter: DeadLetterView) -> bool:
        """Delete a dead letter; the job stays in its failed set until that is cleaned. False if it is gone.

        A newer dead letter of the same job stays.
        """
        dropped = await self._store.drop(letter.letter_id, letter.failed_at)
        if dropped:
            self._log.info("letter_dropped", **log_fields(letter))
        return dropped
