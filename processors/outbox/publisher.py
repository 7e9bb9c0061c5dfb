"""Brings out what the app has written into its outbox: a round, a pause, and so on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from processors.outbox.letters import Letter, letter_of
from processors.outbox.pace import LONGEST
from queue_lib.errors import BrokerUnavailableError, PermanentError, Trouble
from queue_lib.outcome import reason_of
from storage.errors import StorageError

if TYPE_CHECKING:
    from processors.outbox.bridging import Bridging
    from processors.outbox.metrics import OutboxMetrics
    from processors.outbox.pace import Pace
    from queue_lib.chore import Post
    from storage.ports import Outbox, OutboxRow, Round

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
            pause = LONGEST
        await self._pace.wait(pause)

    async def _round(self) -> float:
        async with self._outbox.round() as found:
            if found is None:
                return LONGEST
            letters = [letter for row in found.rows if (letter := self._letter(row, found)) is not None]
            # Jobs first: while Redis is full it takes no jobs, and messages would be published again and again.
            await self._post.add([job for letter in letters for job in letter.jobs])
            await self._publish([letter.message for letter in letters if letter.message is not None])
        self._metrics.published(len(letters), len(found.bad))
        return self._pace.next(len(found.rows), is_last=found.is_last)

    def _letter(self, row: OutboxRow, found: Round) -> Letter | None:
        try:
            return letter_of(row, self._bridging, self._prefix)
        except PermanentError as error:
            found.bad[row.id] = reason_of(error)
            _log.error("outbox_row_bad", row=row.id, topic=row.topic[:100], reason=reason_of(error))
            return None

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
