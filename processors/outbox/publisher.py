"""Brings out what the app has written into its outbox: a round, a pause, and so on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import structlog

from processors.outbox.letters import letter_of
from queue_lib.errors import BrokerUnavailableError, PermanentError, Trouble
from queue_lib.outcome import reason_of
from storage.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from processors.outbox.bridging import Bridging
    from processors.outbox.letters import Letter
    from processors.outbox.metrics import OutboxMetrics
    from processors.outbox.pace import Pace
    from queue_lib.chore import Post
    from storage.ports import Outbox, OutboxRow, Round

PORTION = 167  # rows whose jobs are added by one script
SENT = 5  # turns of the loop after which a portion is sent: Redis's client waits for others to go with it
TOLD = 20  # bad rows of a round that are in the log

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class Publisher:
    """Publishes rows in order. Of all processes one does at a time; the database sees to that."""

    def __init__(
        self, outbox: Outbox, post: Post, bridging: Bridging, prefix: str, pace: Pace, metrics: OutboxMetrics
    ) -> None:
        """`prefix` is that of the channels."""
        self._outbox = outbox
        self._post = post
        self._bridging = bridging
        self._prefix = prefix
        self._pace = pace
        self._metrics = metrics
        self._trouble: str | None = None
        self._is_forbidden = False

    async def turn(self) -> None:
        """A round and a pause. While a server is away nothing is marked: the next round has the same rows."""
        self._pace.begin()
        try:
            pause = await self._round()
            self._told(None)
        except (BrokerUnavailableError, StorageError) as error:
            self._told(reason_of(error))
            pause = None
        if pause is None:
            await self._pace.rest()
        else:
            await self._pace.wait(pause)

    async def _round(self) -> float | None:
        """Seconds until the next one, unless woken; None while another process publishes."""
        async with self._outbox.round() as found:
            if found is None:
                return None
            await self._publish_all(found)
        self._tell_bad(found)
        self._metrics.published(len(found.rows) - len(found.bad), len(found.bad))
        return self._pace.next(len(found.rows), is_last=found.is_last)

    async def _publish_all(self, found: Round) -> None:
        """Jobs first: while Redis is full it takes no jobs, and messages would be published again and again.

        In portions: a script that adds those of a whole round would keep Redis from others. While it adds one the next
        is made, and not sent before: if the connection is cut, nothing of a later portion is there without an earlier.
        """
        letters: dict[int, Letter] = {}
        portion: dict[int, Letter] = {}
        for start in range(0, len(found.rows) + PORTION, PORTION):
            rows = found.rows[start : start + PORTION]
            refused, made = await asyncio.gather(self._add(portion), self._letters(found, rows))
            found.bad |= refused
            letters |= made
            portion = made
        sent = [letter for row_id, letter in letters.items() if row_id not in found.bad]
        await self._publish([letter.message for letter in sent if letter.message is not None])

    async def _letters(self, found: Round, rows: Sequence[OutboxRow]) -> dict[int, Letter]:
        """By the ids of the rows; bad ones are noted in the round. They are made when the last portion is sent."""
        for _ in range(SENT):
            await asyncio.sleep(0)
        letters = {}
        for row in rows:
            try:
                letters[row.id] = letter_of(row, self._bridging, self._prefix)
            except PermanentError as error:
                found.bad[row.id] = reason_of(error)
        return letters

    async def _add(self, letters: Mapping[int, Letter]) -> dict[int, str]:
        """The rows that are bad because their queues are."""
        refused = await self._post.add([job for letter in letters.values() for job in letter.jobs])
        return _refused(letters, refused) if refused else {}

    @staticmethod
    def _tell_bad(found: Round) -> None:
        bad = [row for row in found.rows if row.id in found.bad]
        for row in bad[:TOLD]:
            _log.error("outbox_row_bad", row=row.id, topic=row.topic[:100], reason=found.bad[row.id], bad=len(bad))

    async def _publish(self, messages: list[tuple[str, str]]) -> None:
        if not messages:
            return
        try:
            await self._post.board.publish(messages)
        except BrokerUnavailableError as error:
            if error.trouble is not Trouble.FORBIDDEN:
                raise
            if not self._is_forbidden:
                _log.warning("outbox_events_forbidden", reason=reason_of(error))
            self._is_forbidden = True

    def _told(self, trouble: str | None) -> None:
        """A line in the log when it begins, and one when it is over."""
        if trouble is not None and self._trouble is None:
            _log.warning("outbox_waits", reason=trouble)
        elif trouble is None and self._trouble is not None:
            _log.info("outbox_goes_on")
        self._trouble = trouble


def _refused(letters: Mapping[int, Letter], refused: Mapping[str, str]) -> dict[int, str]:
    """Why the rows with a job of such a queue are bad: Redis would refuse it again, and others must not wait for it."""
    return {
        row_id: f"queue {job.queue}: {refused[job.queue]}"
        for row_id, letter in letters.items()
        for job in letter.jobs
        if job.queue in refused
    }
