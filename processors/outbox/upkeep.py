"""What an outbox needs beside its publisher: a look at what is in it, the deletion of old rows, an ear for Postgres."""

from __future__ import annotations

import time
from contextlib import aclosing
from typing import TYPE_CHECKING

import structlog

from queue_lib.admin.outbox import OutboxRowView, OutboxView, report
from queue_lib.outcome import reason_of
from queue_lib.queues import DAY
from storage.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from processors.outbox.metrics import OutboxMetrics
    from processors.outbox.pace import Pace
    from queue_lib.processor import Board
    from storage.ports import Outbox, OutboxRow

AGE = 7 * DAY  # seconds for which published rows are kept

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class Upkeep:
    """The chores of one process. While a server is away, each is left out."""

    def __init__(
        self, outbox: Outbox, table: str, metrics: OutboxMetrics, clock: Callable[[], float] = time.time
    ) -> None:
        """`table` is shown to operators. `clock` gives seconds since the epoch."""
        self._outbox = outbox
        self._table = table
        self._metrics = metrics
        self._clock = clock
        self._is_unheard = False

    async def look(self, board: Board) -> None:
        """Count what is in it, for the metrics and the dashboard."""
        try:
            seen = await self._outbox.backlog()
        except StorageError as error:
            _log.debug("outbox_unseen", reason=reason_of(error))
            return
        self._metrics.saw(seen)
        view = OutboxView(
            table=self._table,
            seen_at=self._clock(),
            unpublished=seen.unpublished,
            bad=seen.bad,
            oldest=seen.oldest,
            last=tuple(map(_view, seen.last)),
            bad_rows=tuple(map(_view, seen.bad_rows)),
        )
        await report(board, view)

    async def clear(self) -> None:
        """Delete the rows that were published a week ago."""
        try:
            while await self._outbox.clear(AGE):
                pass
        except StorageError as error:
            _log.debug("outbox_not_cleared", reason=reason_of(error))

    async def listen(self, channel: str, pace: Pace) -> None:
        """Wake the publisher whenever Postgres notifies this channel, until the connection is cut."""
        try:
            async with aclosing(self._outbox.heard(channel)) as heard:
                async for _ in heard:
                    self._is_unheard = False
                    pace.wake()
        except StorageError as error:
            if not self._is_unheard:
                _log.warning("outbox_unheard", reason=reason_of(error))
            self._is_unheard = True


def _view(row: OutboxRow) -> OutboxRowView:
    return OutboxRowView(
        id=str(row.id),
        topic=row.topic,
        aggregate_type=row.aggregate_type,
        aggregate_id=row.aggregate_id,
        created_at=row.created_at,
        published_at=row.published_at,
        error=row.error,
    )
