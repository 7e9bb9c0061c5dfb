"""One job's message to many subscriptions: each is settled once, however the others end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Self

import structlog

from processors.push.admission import Admission
from processors.push.delivery import Kind
from processors.push.dispatcher import Dispatcher
from processors.push.follow_ups import FollowUps
from processors.push.ledger import Ledger
from processors.push.lines import Lines
from processors.push.message import bodies_of, message_of
from processors.push.other_end import OtherEnd
from processors.push.report import Report
from processors.push.result import PushResult
from queue_lib.errors import PermanentError, SnoozeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from processors.push.delivery import End
    from processors.push.dependencies import PushDependencies
    from processors.push.payload import Push
    from queue_lib.processor import Context
    from storage.ports import Subscription

REFUSED_PAUSE = 60.0  # seconds until push services that refuse this server are asked again
_RETRIED = frozenset({Kind.THROTTLED, Kind.TRANSIENT})

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class FanOut:
    """One run of a push job: it sends, hands what may be retried over to follow-up jobs, prunes, and counts."""

    def __init__(self, dependencies: PushDependencies, push: Push, context: Context, ledger: Ledger) -> None:
        self._dependencies = dependencies
        self._push = push
        self._context = context
        self.ledger = ledger
        self._report = Report(context.job.id)
        self._follow_ups = FollowUps(dependencies, push, context, ledger)
        lines = Lines(dependencies.sender)
        self._admission = Admission(dependencies.reach, push.options)
        self.other_end = OtherEnd(lines, ledger, self._admission.now)
        self._dispatcher = Dispatcher(
            dependencies,
            context.board,
            ledger,
            lines,
            self.other_end,
            message_of(push, dependencies.style),
            self._follow_ups.deadline,
            bodies_of(push, dependencies.style),
        )

    @classmethod
    async def open(cls, dependencies: PushDependencies, push: Push, context: Context) -> Self:
        """Continue where earlier runs of this job ended, and enqueue the follow-ups that they noted but did not add.

        Raises PermanentError for a message that no push service takes, BrokerUnavailableError.
        """
        fan_out = cls(dependencies, push, context, await Ledger.open(context, push.options.exclude_endpoint))
        await fan_out._follow_ups.add_missing()
        return fan_out

    async def __aenter__(self) -> Self:
        """Begin a run."""
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Report what this run has done. If it was cut short, note what it has settled."""
        await self.ledger.close()
        self._report.close(self._context)
        if kind is not None:
            await self.ledger.write()

    async def deliver(self, rows: Sequence[Subscription]) -> PushResult:
        """Send to each row that no run of this job has settled. Returns what became of the rows.

        Raises BrokerUnavailableError when Redis stays away and nothing more can be noted, in this call or another one
        of the run; SnoozeError when this is a follow-up and its push services are left alone, and while the database
        is away.
        """
        wanted = [row for row in _distinct(rows) if row not in self.ledger]
        ends: list[End] = []
        try:
            withheld = await self._send(wanted, ends)
        finally:
            counts = self._report.add(ends)
            self._dependencies.refusals.note(counts)
        waiting = await self._follow_ups.wait(withheld)
        added = await self._follow_ups.add([end for end in ends if self._is_retried(end)])
        pruned = await self._prune([end.row for end in ends if end.delivery.kind is Kind.GONE])
        sent = sum(end.delivery.kind is Kind.SENT for end in ends)
        expired = added.expired + sum(end.delivery.kind is Kind.EXPIRED for end in ends)
        return PushResult(
            sent=sent,
            failed=len(ends) - sent - pruned - added.rows - expired,
            pruned=pruned,
            retrying=added.rows,
            skipped=len(rows) - len(wanted),
            expired=expired + waiting.expired,
            muted=len(withheld) - waiting.rows - waiting.expired,
            waiting=waiting.rows,
            total=len(rows),
            follow_ups=(*waiting.ids, *added.ids),
            ignored=self._push.ignored,
            origins=counts,
        )

    def check_configuration(self) -> None:
        """Raise PermanentError if every push service refused this server, and none has recently taken a message."""
        refusing = self._report.refusing()
        asked = {*refusing, *self.other_end.asked}
        if refusing and not any(map(self._dependencies.sender.is_proven, asked)):
            origins = ", ".join(refusing)[:200]
            msg = f"the push services refuse this server: check the VAPID_* variables and its clock ({origins})"
            raise PermanentError(msg)

    def put_off_refusals(self) -> None:
        """Raise SnoozeError if every push service refused this server, and none has taken a message since then.

        If one has taken another job's message, it refuses these subscriptions, and not the server.
        """
        refusing = self._report.refusing()
        if not refusing:
            return
        since = self.ledger.fixed("refused", self._dependencies.clock())
        if not any(self._dependencies.sender.has_taken_since(origin, since) for origin in refusing):
            origins = ", ".join(refusing)[:200]
            msg = f"the push services refuse this server, and took its messages within the hour ({origins})"
            raise SnoozeError(msg, REFUSED_PAUSE)

    async def _send(self, wanted: Sequence[Subscription], ends: list[End]) -> dict[str, float]:
        """Send to those of these rows that may be sent to now, and add how they ended to `ends`.

        Returns the ids of the others, and until when they are withheld.
        """
        withheld = await self._admission.withheld(wanted)
        async with self.other_end.turn(wanted) as (rows, early):
            ends.extend(early)
            await self._dispatcher.send_all([row for row in rows if row.id not in withheld], ends)
            if ends and all(end.delivery.kind is Kind.CONFIGURATION for end in ends):
                await self._dispatcher.ask_the_other_end({end.origin for end in ends})
            if (pause := self._follow_ups.put_off(ends)) is not None:
                ends.clear()  # nothing has happened
                raise pause
        return {row.id: withheld[row.id] for row in rows if row.id in withheld}

    def _is_retried(self, end: End) -> bool:
        """Whether another attempt may help. A refusal is retried if the push service has recently taken our key.

        If it took other messages of the job, it refuses this subscription; a follow-up is put off as a whole.
        """
        delivery, is_proven = end.delivery, self._dependencies.sender.is_proven(end.origin)
        is_outage = self._follow_ups.is_first and not self._report.has_sent(end.origin)
        refused = delivery.kind is Kind.CONFIGURATION and is_proven and is_outage
        return end.was_left_alone or delivery.kind in _RETRIED or refused or (not delivery.tried and is_proven)

    async def _prune(self, rows: Sequence[Subscription]) -> int:
        """Delete the rows, and return how many. A fault of the database is logged: failing would send all again."""
        if not rows:
            return 0
        await self.ledger.write()  # the database may be slow, and what is not noted would be sent twice
        self._report.alarm_of_many_gone()
        [deleted] = await asyncio.gather(self._dependencies.subscriptions.prune(rows), return_exceptions=True)
        if isinstance(deleted, BaseException):
            _log.warning("prune_failed", subscriptions=len(rows), error=type(deleted).__name__)
            return 0
        self._report.add_pruned(deleted)
        return deleted


def _distinct(rows: Sequence[Subscription]) -> list[Subscription]:
    """The newest row of each endpoint: apps that store a subscription at each visit have many rows of one device."""
    return list({row.endpoint: row for row in rows}.values())
