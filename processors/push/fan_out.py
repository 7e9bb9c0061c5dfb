"""One job's message to many subscriptions: each is settled once, whatever became of the others."""

from __future__ import annotations

import asyncio
import hashlib
import math
import random
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import structlog

from processors.push.circuit import Circuit
from processors.push.delivery import UNASKED, UNUSABLE, Delivery, Kind, Message, Sender
from processors.push.endpoints import log_fields
from processors.push.ledger import Ledger
from processors.push.message import message_of
from processors.push.payload import FOLLOW_UP, MAX_FOLLOW_UP, Push, PushResult, follow_up_data
from processors.push.schedule import MAX_ATTEMPTS, group_by_delay
from queue_lib.errors import PermanentError, SnoozeError
from queue_lib.processor import FollowUp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from processors.push.message import PayloadStyle
    from queue_lib.processor import Context
    from storage.ports import Subscription, Subscriptions

# In flight at one push service, of one job; the sender bounds what all jobs have.
IN_FLIGHT = 50
# The same at all of them. What was answered and is not written yet counts as in flight.
ALL_IN_FLIGHT = 100
# Seconds that requests under way may still take when the job is cut short: an answer that nobody waits for is a
# message that is sent twice.
DRAIN = 1.5
REFUSED_PAUSE = 60.0  # seconds until push services that refuse this server are asked again
# So many lines about single subscriptions in the log; the rest is in the counts.
MAX_LINES = 20
# More gone than this share, of so many or more, may be a push service's fault: in June 2024 Google's answered so.
MANY_GONE, MANY = 0.3, 50
MAX_ORIGINS = 1000  # told apart: Windows and Apple have many hosts, but not so many
# Noted at once. The rest may be asked for again by another run: it is retried, or refused without harm.
_SETTLED = frozenset({Kind.SENT, Kind.MESSAGE, Kind.REDIRECT})
_RETRIED = frozenset({Kind.THROTTLED, Kind.TRANSIENT})

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    """What all push jobs work with. `clock` gives seconds since the epoch, `chance` a number in [0, 1)."""

    subscriptions: Subscriptions
    sender: Sender
    style: PayloadStyle
    clock: Callable[[], float] = time.time
    chance: Callable[[], float] = random.random


@dataclass(frozen=True, slots=True)
class _End:
    row: Subscription
    origin: str
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class _HandedOver:
    """How many go to which follow-up jobs, and how many had time for none."""

    retrying: int = 0
    expired: int = 0
    follow_ups: tuple[str, ...] = ()


class FanOut:
    """Sends, prunes, hands what may be retried over to a follow-up job, and counts."""

    def __init__(self, parts: Parts, push: Push, context: Context, ledger: Ledger) -> None:
        """Begin a first attempt; `open` makes it another one."""
        self._parts = parts
        self._push = push
        self._context = context
        self.ledger = ledger
        self.deadline = ledger.fixed("deadline", push.deadline(parts.clock()))
        self._attempt = 1
        self._of = context.job.id
        self._message = message_of(push, parts.style)
        self._circuit = Circuit(parts.sender.is_proven)
        self._origins: dict[str, str] = {}
        self._counts: dict[str, Counter[str]] = defaultdict(Counter)
        self._lines = 0
        self._all_slots = asyncio.Semaphore(ALL_IN_FLIGHT)
        self._pruned = 0
        self._slots: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(IN_FLIGHT))
        self._stopping_since: float | None = None
        self._failure: BaseException | None = None
        self._alarmed = False

    @classmethod
    async def open(cls, parts: Parts, push: Push, context: Context, *, attempt: int = 1, of: str | None = None) -> Self:
        """Go on where earlier runs of this job ended; what they handed over is enqueued if it is not yet.

        Raises PermanentError for a message that no push service takes, BrokerUnavailableError.
        """
        fan_out = cls(parts, push, context, await Ledger.open(context))
        fan_out._attempt, fan_out._of = attempt, of or context.job.id
        for due, ids in fan_out.ledger.handed_over().items():
            await fan_out._enqueue(ids, due)
            fan_out.ledger.enqueued(ids)
        return fan_out

    async def __aenter__(self) -> Self:
        """Begin a run."""
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Tell the log and the metrics what this run has done; if it was cut short, note what it has settled."""
        await self.ledger.close()
        if self._counts:
            self._context.tally("push_deliveries", self._counts)
        if self._pruned:
            self._context.tally("push_pruned", {"subscriptions": {"gone": self._pruned}})
        self._alarm_of_unusable()
        if kind is not None:
            await self.ledger.write()

    async def deliver(self, rows: Sequence[Subscription]) -> PushResult:
        """Send to each row that no run of this job has settled; returns what became of them.

        Raises BrokerUnavailableError when Redis stays away and nothing more can be noted, also where another call has
        met it.
        """
        ends: list[_End] = []
        try:
            await self._send_all([row for row in _distinct(rows) if row not in self.ledger], ends)
        finally:
            counts = self._count(ends)
        handed_over = await self._hand_over([end for end in ends if self._is_retried(end)])
        pruned = await self._prune([end.row for end in ends if end.delivery.kind is Kind.GONE])
        sent = sum(end.delivery.kind is Kind.SENT for end in ends)
        expired = handed_over.expired + sum(end.delivery.kind is Kind.EXPIRED for end in ends)
        return PushResult(
            sent=sent,
            failed=len(ends) - sent - pruned - handed_over.retrying - expired,
            pruned=pruned,
            retrying=handed_over.retrying,
            skipped=len(rows) - len(ends),
            expired=expired,
            total=len(rows),
            follow_ups=handed_over.follow_ups,
            ignored=self._push.ignored,
            origins={origin: dict(kinds) for origin, kinds in counts.items()},
        )

    def check_configuration(self) -> None:
        """Raise PermanentError if all that were asked have refused the server itself, and none has lately taken it."""
        refusing = self._refusing()
        if refusing and not any(map(self._parts.sender.is_proven, refusing)):
            origins = ", ".join(refusing)[:200]
            msg = f"the push services refuse this server: check the VAPID_* variables and its clock ({origins})"
            raise PermanentError(msg)

    def put_off_refusals(self) -> None:
        """Raise SnoozeError if all that were asked refuse this server, and have taken nothing since they first did.

        Once an origin has taken another message, it is these subscriptions that it refuses.
        """
        refusing = self._refusing()
        if not refusing:
            return
        since = self.ledger.fixed("refused", self._parts.clock())
        if not any(self._parts.sender.has_taken_since(origin, since) for origin in refusing):
            origins = ", ".join(refusing)[:200]
            msg = f"the push services refuse this server, and took its messages within the hour ({origins})"
            raise SnoozeError(msg, REFUSED_PAUSE)

    def _refusing(self) -> list[str]:
        """All push services that were asked, if each answer of each is a refusal of the server itself; else none."""
        answers = {origin: counts.keys() - UNASKED for origin, counts in self._counts.items()}
        asked = {origin: kinds for origin, kinds in answers.items() if kinds}
        return sorted(asked) if all(kinds == {Kind.CONFIGURATION} for kinds in asked.values()) else []

    def _count(self, ends: Sequence[_End]) -> dict[str, Counter[str]]:
        """Count by push service and kind, for the result and for the whole run, and tell the log what went wrong."""
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for end in ends:
            counts[end.origin][end.delivery.kind] += 1
            self._counts[end.origin][end.delivery.kind] += 1
            self._log_line(end)
        return counts

    def _dated(self) -> Message:
        """The message with the time that it has left, now that it is sent."""
        left = max(1.0, self.deadline - self._parts.clock())
        if self._message.ttl > left:
            self._message = replace(self._message, ttl=math.ceil(left))
        return self._message

    async def _send_all(self, rows: Sequence[Subscription], ends: list[_End]) -> None:
        """Send to all, and add how each ended to `ends`; raises what cut this call short, or another one."""
        waiting: dict[str, list[Subscription]] = defaultdict(list)
        for row in rows:
            waiting[self._origin(row)].append(row)
        if len(rows) == 1:
            [(origin, only)] = waiting.items()
            await self._work(origin, iter(only), ends)
        else:
            workers = [
                asyncio.create_task(self._work(origin, line, ends))
                for origin, group in waiting.items()
                for line in [iter(group)] * min(IN_FLIGHT, len(group))
            ]
            await self._all(workers)
        if self._failure is not None and len(ends) < len(rows):  # another page failed, and here no other was begun
            raise self._failure

    async def _all(self, workers: list[asyncio.Task[None]]) -> None:
        """Wait for all; if one fails or this is cancelled, requests under way may still end, and no other begins."""
        if not workers:
            return
        try:
            done, _ = await asyncio.wait(workers, return_when=asyncio.FIRST_EXCEPTION)
            for worker in done:
                worker.result()
        except BaseException as error:
            self._stopping_since = self._stopping_since or time.monotonic()
            self._failure = self._failure or error
            try:
                await asyncio.wait(workers, timeout=max(0.0, self._stopping_since + DRAIN - time.monotonic()))
            finally:  # this, too, may be cancelled
                for worker in workers:
                    worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            raise

    async def _work(self, origin: str, waiting: Iterator[Subscription], ends: list[_End]) -> None:
        for row in waiting:
            async with self._slots[origin], self._all_slots:
                if self._stopping_since is not None:
                    return
                delivery = self._circuit.instead(origin) or await self._send(row, origin)
                ends.append(_End(row, origin, delivery))
                if delivery.kind in _SETTLED:
                    await self.ledger.settle(row)  # in its slot: what is not written yet counts as in flight

    async def _send(self, row: Subscription, origin: str) -> Delivery:
        if self.deadline <= self._parts.clock():
            return Delivery(Kind.EXPIRED, "its time was over when its turn came")
        try:
            delivery = await self._parts.sender.send(row, self._dated())
        except Exception as error:  # noqa: BLE001 -- a fault that nobody thought of stays with its subscription
            delivery = Delivery(Kind.MESSAGE, f"unexpected {type(error).__name__}")
        if delivery.kind not in UNASKED:
            self._circuit.saw(origin, delivery)
        return delivery

    def _origin(self, row: Subscription) -> str:
        """The push service of a row; `refused` for an endpoint that must not be called."""
        start = "/".join(row.endpoint.split("/", 3)[:3])
        origin = self._origins.get(start)
        if origin is None:
            if len(self._origins) >= MAX_ORIGINS:
                return "other"
            origin = self._parts.sender.origin(row)
            if origin is None:  # perhaps for this row's path alone
                return "refused"
            self._origins[start] = origin
        return origin

    def _is_retried(self, end: _End) -> bool:
        """Whether another attempt may help: also where an origin that had taken the key refuses us, or was left alone.

        A first attempt tells a refusal of the server by what the origin took besides; a follow-up is put off.
        """
        delivery, is_proven = end.delivery, self._parts.sender.is_proven(end.origin)
        is_outage = self._attempt == 1 and not self._counts[end.origin][Kind.SENT]
        refused = delivery.kind is Kind.CONFIGURATION and is_proven and is_outage
        return delivery.kind in _RETRIED or refused or (not delivery.tried and is_proven)

    async def _prune(self, rows: Sequence[Subscription]) -> int:
        """Delete the rows; returns how many. A database that is away is no reason to send everything again."""
        if not rows:
            return 0
        await self.ledger.write()  # the database may take its time, and what is not written is sent twice
        self._alarm_of_many_gone()
        [deleted] = await asyncio.gather(self._parts.subscriptions.prune(rows), return_exceptions=True)
        if isinstance(deleted, BaseException):
            _log.warning("prune_failed", subscriptions=len(rows), error=type(deleted).__name__)
            return 0
        self._pruned += deleted
        return deleted

    def _alarm_of_many_gone(self) -> None:
        total = sum(counts.total() for counts in self._counts.values())
        gone = sum(counts[Kind.GONE] for counts in self._counts.values())
        if total >= MANY and gone > MANY_GONE * total and not self._alarmed:
            self._alarmed = True
            _log.error("push_many_gone", id=self._context.job.id[:200], gone=gone, of=total)

    def _alarm_of_unusable(self) -> None:
        """One line for all rows that this worker can't use: they stay, as no push service called them gone."""
        causes = sum(self._counts.values(), Counter[str]())
        unusable = {kind.value: causes[kind] for kind in sorted(UNUSABLE) if causes[kind]}
        if unusable:
            _log.error("push_unusable", id=self._context.job.id[:200], of=causes.total(), **unusable)

    async def _hand_over(self, ends: Sequence[_End]) -> _HandedOver:
        """Enqueue follow-up jobs for these, while attempts and the message's time last."""
        if not ends or self._attempt >= MAX_ATTEMPTS:
            return _HandedOver()
        now, expired, handed = self._parts.clock(), 0, dict[str, int]()
        last = self.deadline if self._push.options.ttl else now
        retries = [(end.row.id, end.delivery) for end in ends]
        for delay, ids in group_by_delay(retries, self._attempt, self._parts.chance(), MAX_FOLLOW_UP):
            due = now + delay
            if due >= last:
                expired += len(ids)
                continue
            await self.ledger.hand_over(ids, due)
            handed[await self._enqueue(ids, due)] = len(ids)
            self.ledger.enqueued(ids)
        return _HandedOver(sum(handed.values()), expired, tuple(handed))

    async def _enqueue(self, ids: Sequence[str], due: float) -> str:
        """Add the follow-up job. Its id tells of its content, so that a later run of this job adds no second one."""
        job = self._context.job
        told = "\n".join([job.wire, job.queue, job.id, repr(self.deadline), repr(due), *sorted(ids)])
        follow_up_id = f"push-{hashlib.sha256(told.encode(errors='replace')).hexdigest()[:32]}"
        data = follow_up_data(
            self._push, sorted(ids), attempt=self._attempt + 1, of=self._of, by=job.id, deadline=self.deadline
        )
        delay = max(0.0, due - self._parts.clock())
        await self._context.enqueue(FollowUp(id=follow_up_id, name=FOLLOW_UP, data=data, delay=delay))
        _log.info("push_follow_up", id=follow_up_id, of=self._of[:200], subscriptions=len(ids), delay=round(delay, 1))
        return follow_up_id

    def _log_line(self, end: _End) -> None:
        if end.delivery.kind is Kind.SENT or self._lines >= MAX_LINES:
            return
        self._lines += 1
        fields = {**log_fields(end.row.endpoint), "kind": end.delivery.kind.value, "reason": end.delivery.reason}
        if end.delivery.kind is Kind.GONE:
            _log.info("push_gone", **fields)
        else:
            _log.warning("push_failed", **fields)


def _distinct(rows: Sequence[Subscription]) -> list[Subscription]:
    """One row an endpoint, the newest: apps that store a subscription at each visit have many of one device."""
    return list({row.endpoint: row for row in rows}.values())
