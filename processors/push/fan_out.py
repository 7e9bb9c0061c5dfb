"""One job's message to many subscriptions: each is settled once, whatever became of the others."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import structlog

from processors.push.circuit import Circuit, Turn
from processors.push.delivery import UNASKED, UNUSABLE, Delivery, Kind, Message, Sender
from processors.push.endpoints import log_fields
from processors.push.hand_over import End, HandOver
from processors.push.ledger import Ledger
from processors.push.message import message_of
from processors.push.payload import Push, PushResult
from queue_lib.errors import BrokerUnavailableError, LeaseLostError, PermanentError, SnoozeError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from processors.push.message import PayloadStyle
    from processors.push.origins import Origins
    from queue_lib.processor import Context
    from storage.ports import Subscription, Subscriptions

# A job that sends to no more subscriptions of a push service is a small one there.
SMALL = 10
# So many subscriptions of a call, and a fifth of more, may be in flight at once if there are places: who waits for one
# takes some KiB, and a batch has eight pages under way.
AT_ONCE = 50
# So many of the last subscriptions of a list are asked, before those that come first decide that the server is refused.
OTHER_END = 5
# Seconds for requests under way when a job is cut short: an answer that nobody waits for is a push that is sent twice.
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
    origins: Origins
    style: PayloadStyle
    clock: Callable[[], float] = time.time
    chance: Callable[[], float] = random.random


async def _nobody() -> Sequence[Subscription]:
    return ()


class FanOut:
    """Sends, prunes, hands what may be retried over to a follow-up job, and counts."""

    def __init__(self, parts: Parts, push: Push, context: Context, ledger: Ledger) -> None:
        """Begin a first attempt; `open` makes it another one."""
        self._parts = parts
        self._push = push
        self._context = context
        self.ledger = ledger
        self._hand_over = HandOver(parts, push, context, ledger)
        self._message = message_of(push, parts.style)
        self._circuit = Circuit()
        self._origins: dict[str, str] = {}
        self._counts: dict[str, Counter[str]] = defaultdict(Counter)
        self._lines = 0
        self._pruned = 0
        self._stopping_since: float | None = None
        self._failure: BaseException | None = None
        self._alarmed = False
        self.other_end: Callable[[], Awaitable[Sequence[Subscription]]] = _nobody
        self._asking = asyncio.Lock()
        self._asked: set[str] = set()
        self._early: dict[str, End] = {}
        self._under_way: set[str] = set()

    @classmethod
    async def open(cls, parts: Parts, push: Push, context: Context, *, attempt: int = 1, of: str | None = None) -> Self:
        """Go on where earlier runs of this job ended; what they handed over is enqueued if it is not yet.

        Raises PermanentError for a message that no push service takes, BrokerUnavailableError.
        """
        fan_out = cls(parts, push, context, await Ledger.open(context))
        fan_out._hand_over.attempt, fan_out._hand_over.of = attempt, of or context.job.id
        await fan_out._hand_over.again()
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
        met it, and SnoozeError where a follow-up finds its push services left alone.
        """
        ends: list[End] = []
        wanted = [row for row in _distinct(rows) if row not in self.ledger]
        ids = {row.id for row in wanted}
        async with self._asking:  # nobody of these is asked before his turn any more
            self._under_way |= ids
        try:
            await self._parts.origins.hear(self._context.board)
            await self._send_all(self._not_early(wanted, ends), ends)
            if ends and all(end.delivery.kind is Kind.CONFIGURATION for end in ends):
                await self._ask_the_other_end({end.origin for end in ends})
            if (pause := self._hand_over.put_off(ends)) is not None:
                ends = []  # nothing has happened
                raise pause
        finally:
            self._under_way -= ids
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
        asked = {*refusing, *(end.origin for end in self._early.values())}
        if refusing and not any(map(self._parts.sender.is_proven, asked)):
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

    def _count(self, ends: Sequence[End]) -> dict[str, Counter[str]]:
        """Count by push service and kind, for the result and for the whole run, and tell the log what went wrong."""
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        for end in ends:
            counts[end.origin][end.delivery.kind] += 1
            self._counts[end.origin][end.delivery.kind] += 1
            self._log_line(end)
        return counts

    def _dated(self) -> Message:
        """The message with the time that it has left, now that it is sent."""
        left = max(1.0, self._hand_over.deadline - self._parts.clock())
        if self._message.ttl > left:
            self._message = replace(self._message, ttl=math.ceil(left))
        return self._message

    async def _send_all(self, rows: Sequence[Subscription], ends: list[End]) -> None:
        """Send to all, and add how each ended to `ends`; raises what cut this call short, or another one."""
        before = len(ends)
        waiting: dict[str, deque[Subscription]] = defaultdict(deque)
        for row in rows:
            waiting[self._origin(row)].append(row)
        if len(rows) == 1:
            [(origin, line)] = waiting.items()
            await self._work(origin, line, ends, small=True)
        else:
            workers = [
                asyncio.create_task(self._work(origin, line, ends, small=len(line) <= SMALL))
                for origin, line in waiting.items()
                for _ in range(min(self._parts.origins.total.most, len(line), max(AT_ONCE, len(line) // 5)))
            ]
            await self._all(workers)
        is_whole = len(ends) - before == len(rows)
        if self._failure is not None and not is_whole:  # another page failed, and here no other was begun
            raise self._failure

    async def _all(self, workers: Sequence[asyncio.Task[Any]]) -> None:
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

    async def _work(self, origin: str, line: deque[Subscription], ends: list[End], *, small: bool) -> None:
        """Send to one after another of a line that others work at, too."""
        while line and self._stopping_since is None:
            turn = await self._circuit.turn(origin)
            if turn is Turn.SKIP:
                if line:
                    ends.append(End(line.popleft(), origin, self._circuit.instead(origin)))
                continue
            if turn is Turn.PROBE:
                await self._probe(origin, line, ends, small=small)
            else:
                await self._take(origin, line, ends, turn, small=small)

    async def _probe(self, origin: str, line: deque[Subscription], ends: list[End], *, small: bool) -> None:
        """Send to the last one of the line, and if that was the last probe, to the last ones of the whole list."""
        is_asked = False
        try:
            is_asked = await self._take(origin, line, ends, Turn.PROBE, small=small)
            if is_asked and self._circuit.is_last_probe(origin):
                await self._ask_the_other_end({origin})
        finally:
            self._circuit.probed(origin, is_asked=is_asked)

    async def _take(self, origin: str, line: deque[Subscription], ends: list[End], turn: Turn, *, small: bool) -> bool:
        """Send to the next one, or to the last one if it is a probe, once there is a place; whether it was sent to."""
        origins, board = self._parts.origins, self._context.board
        place = await origins.enter(origin, self, board, small=small)
        if isinstance(place, Delivery):
            if line:
                ends.append(End(line.popleft(), origin, place))
            return False
        try:
            is_doubted = turn is Turn.SEND and self._circuit.doubts(origin)  # since it waits for its place
            if not line or is_doubted or self._stopping_since is not None:
                return False
            row = line.pop() if turn is Turn.PROBE else line.popleft()
            delivery = await self._send(row, origin)
            ends.append(End(row, origin, delivery))
            try:
                await origins.saw(origin, place, delivery, row.id, board)
            finally:  # also if this is cut short; in its place, for what is not written yet counts as in flight
                if delivery.kind in _SETTLED:
                    await self._settle(row)
            return True
        finally:
            origins.leave(origin, place)

    async def _settle(self, row: Subscription) -> None:
        try:
            await self.ledger.settle(row)
        except (BrokerUnavailableError, LeaseLostError):  # before another one is sent to
            self._stopping_since = self._stopping_since or time.monotonic()
            raise

    def _not_early(self, rows: Sequence[Subscription], ends: list[End]) -> list[Subscription]:
        """The rows that were not asked before their turn; how those ended is added to `ends`."""
        early = [self._early.pop(row.id) for row in rows if row.id in self._early]
        ends.extend(early)
        asked = {end.row.id for end in early}
        return [row for row in rows if row.id not in asked] if asked else list(rows)

    async def _ask_the_other_end(self, origins: Collection[str]) -> None:
        """Where these have refused all, send to the last rows of a long list before their turn, of others too."""
        async with self._asking:  # another page may do it
            if refused := set(origins) - self._asked:
                self._asked |= refused
                await self._send_early(await self.other_end(), refused)

    async def _send_early(self, rows: Sequence[Subscription], refused: Collection[str]) -> None:
        """Send to the last of these rows: some of the origins that refuse, and one of each other."""
        known = self._under_way | self._early.keys()
        rows = [row for row in rows if row.id not in known and row not in self.ledger]
        same = [row for row in rows if self._origin(row) in refused][-OTHER_END:]
        others = {self._origin(row): row for row in rows if self._origin(row) not in refused}
        early: list[End] = []
        wanted = [*same, *[*others.values()][-OTHER_END:]]
        takes = (self._take(self._origin(row), deque([row]), early, Turn.PROBE, small=False) for row in wanted)
        await self._all([asyncio.create_task(each) for each in takes])
        self._early |= {end.row.id: end for end in early if end.delivery.tried}

    async def _send(self, row: Subscription, origin: str) -> Delivery:
        if self._hand_over.deadline <= self._parts.clock():
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

    def _is_retried(self, end: End) -> bool:
        """Whether another attempt may help: also where an origin that had taken the key refuses us, or was left alone.

        A first attempt tells a refusal of the server by what the origin took besides; a follow-up is put off.
        """
        delivery, is_proven = end.delivery, self._parts.sender.is_proven(end.origin)
        is_outage = self._hand_over.attempt == 1 and not self._counts[end.origin][Kind.SENT]
        refused = delivery.kind is Kind.CONFIGURATION and is_proven and is_outage
        return end.was_left_alone or delivery.kind in _RETRIED or refused or (not delivery.tried and is_proven)

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

    def _log_line(self, end: End) -> None:
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
