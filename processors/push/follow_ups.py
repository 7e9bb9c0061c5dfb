"""Follow-up jobs: which subscriptions are sent to again, and when."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from processors.push.backoff import APART, MAX_ATTEMPTS, group_by_delay
from processors.push.cancelling import added_at
from processors.push.payload import FOLLOW_UP, MAX_FOLLOW_UP, FollowUpPayload, follow_up_data
from processors.reach.choice import MUTED
from processors.reach.reach import SPREAD
from queue_lib.addition import Addition
from queue_lib.errors import SnoozeError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from processors.push.delivery import Delivery, End
    from processors.push.dependencies import PushDependencies
    from processors.push.ledger import Ledger
    from processors.push.payload import Push
    from queue_lib.processor import Context

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Added:
    """The `ids` of follow-up jobs, how many subscriptions are in them, and how many have no time left for one."""

    rows: int = 0
    expired: int = 0
    ids: tuple[str, ...] = ()


class FollowUps:
    """Enqueues the follow-ups of one job.

    `attempt` is the number of this one: 1, unless it is a follow-up that comes after an attempt. `is_first`: it is the
    app's own job.
    """

    def __init__(self, dependencies: PushDependencies, push: Push, context: Context, ledger: Ledger) -> None:
        self._dependencies = dependencies
        self._push = push
        self._context = context
        self._ledger = ledger
        self.deadline = ledger.fixed("deadline", push.deadline(dependencies.clock()))
        self.attempt, self._of, self._since = 1, context.job.id, added_at(push, context)
        self.is_first = not isinstance(push, FollowUpPayload)
        if isinstance(push, FollowUpPayload):
            self.attempt, self._of = push.attempt, push.follow_up_of or self._of

    async def add_missing(self) -> None:
        """Enqueue the follow-ups that earlier runs of this job have noted and not added."""
        for due, ids in self._ledger.handed_over().items():
            await self._enqueue(ids, due, self.attempt + 1)
            self._ledger.enqueued(ids)

    async def add(self, ends: Sequence[End]) -> Added:
        """Enqueue follow-ups for these, as long as attempts and the message's time last."""
        now = self._dependencies.clock()
        return await self._hand_over((now + delay, ids, attempt) for delay, ids, attempt in self._groups(ends))

    async def wait(self, withheld: Mapping[str, float]) -> Added:
        """Enqueue follow-ups for those that wait until quiet hours end: id -> epoch seconds. It uses up no attempt."""
        by_end: dict[float, list[str]] = defaultdict(list)
        for subscription_id, end in withheld.items():
            by_end[end].append(subscription_id)
        by_end.pop(MUTED, None)
        return await self._hand_over(
            (end + SPREAD * self._dependencies.chance(), ids[start : start + MAX_FOLLOW_UP], self.attempt)
            for end, ids in by_end.items()
            for start in range(0, len(ids), MAX_FOLLOW_UP)
        )

    async def _hand_over(self, groups: Iterable[tuple[float, Sequence[str], int]]) -> Added:
        """Enqueue a follow-up for each group: due time (epoch seconds), ids, and the number of the next attempt."""
        expired, handed, dues = 0, dict[str, int](), set[float]()
        last = self.deadline if self._push.options.ttl else self._dependencies.clock()
        for wanted, ids, attempt in groups:
            due = wanted
            while due in dues:  # a group is identified by its due time
                due += APART
            dues.add(due)
            if due >= last:
                expired += len(ids)
                continue
            await self._ledger.hand_over(ids, due)
            handed[await self._enqueue(ids, due, attempt)] = len(ids)
            self._ledger.enqueued(ids)
        return Added(sum(handed.values()), expired, tuple(handed))

    def put_off(self, ends: Sequence[End]) -> SnoozeError | None:
        """Why to run this follow-up again unchanged, if nothing was sent because its push services are left alone."""
        if self.is_first or not ends or not all(end.was_left_alone for end in ends):
            return None
        delay = min(self._dependencies.origins.due(origin, seconds) for origin, seconds in _soonest(ends).items())
        if self._dependencies.clock() + delay >= self.deadline:
            return None
        return SnoozeError(ends[0].delivery.reason, delay)

    def _groups(self, ends: Sequence[End]) -> Iterator[tuple[float, list[str], int]]:
        """Delays in seconds, ids, and the number of the next attempt, as long as attempts last."""
        origins = self._dependencies.origins
        tried: dict[str, list[tuple[str, Delivery]]] = defaultdict(list)
        left_alone: dict[str, list[End]] = defaultdict(list)
        for end in ends:
            if end.was_left_alone:
                left_alone[end.origin].append(end)
            elif self.attempt < MAX_ATTEMPTS:
                line = end.origin if origins.is_resting(end.origin) else ""
                tried[line].append((end.row.id, end.delivery))
        for origin, retries in tried.items():
            for delay, ids in group_by_delay(retries, self.attempt, self._dependencies.chance(), MAX_FOLLOW_UP):
                yield origins.due(origin, delay) if origin else delay, ids, self.attempt + 1
        for origin, group in left_alone.items():
            for start in range(0, len(group), MAX_FOLLOW_UP):
                part = group[start : start + MAX_FOLLOW_UP]
                yield origins.due(origin, _soonest(part)[origin]), [end.row.id for end in part], max(2, self.attempt)

    async def _enqueue(self, ids: Sequence[str], due: float, attempt: int) -> str:
        """Add the follow-up job, and return its id: a hash of its content, so that a later run adds no second one."""
        job = self._context.job
        told = "\n".join([job.wire, job.queue, job.id, repr(self.deadline), repr(due), *sorted(ids)])
        follow_up_id = f"push-{hashlib.sha256(told.encode(errors='replace')).hexdigest()[:32]}"
        attempt = min(attempt, MAX_ATTEMPTS)
        data = follow_up_data(self._push, sorted(ids), attempt=attempt, of=self._of, by=job.id, deadline=self.deadline)
        if self._push.options.cancel_key is not None:
            data["since"] = self._since
        delay = max(0.0, due - self._dependencies.clock())
        await self._context.enqueue(Addition(job_id=follow_up_id, name=FOLLOW_UP, data=data, delay=delay))
        _log.info("push_follow_up", id=follow_up_id, of=self._of[:200], subscriptions=len(ids), delay=round(delay, 1))
        return follow_up_id


def _soonest(ends: Sequence[End]) -> dict[str, float]:
    """How soon each origin may be asked, in seconds."""
    soonest: dict[str, float] = {}
    for end in ends:
        seconds = end.delivery.retry_after or 0.0
        soonest[end.origin] = min(seconds, soonest.get(end.origin, seconds))
    return soonest
