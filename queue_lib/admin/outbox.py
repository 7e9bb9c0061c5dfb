"""The app's outbox as an operator sees it. The publishers report it on the board, so nobody else needs the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from queue_lib.processor import Model

if TYPE_CHECKING:
    from queue_lib.processor import Board

TOPIC, NAME = "outbox", "status"  # on the board
KEPT = 60.0  # seconds
LATE = 60.0  # seconds for which the first row has waited, when the alert and the dashboard speak of it


class OutboxRowView(Model):
    """A row without its payload. Times are in seconds since the epoch."""

    id: str
    topic: str
    aggregate_type: str
    aggregate_id: str
    created_at: float
    published_at: float | None = None
    error: str | None = None


class OutboxView(Model):
    """What a publisher saw at `seen_at`: how many rows are `unpublished` and `bad`, and when the `oldest` was written.

    `last` are the last rows, `bad_rows` the first bad ones.
    """

    table: str
    seen_at: float
    unpublished: int
    bad: int
    oldest: float | None
    last: tuple[OutboxRowView, ...]
    bad_rows: tuple[OutboxRowView, ...]

    @property
    def lag(self) -> float:
        """The age of the oldest unpublished row in seconds, when it was seen."""
        return 0.0 if self.oldest is None else max(0.0, self.seen_at - self.oldest)

    @property
    def is_late(self) -> bool:
        """Whether nobody has published the first row for a minute."""
        return self.lag > LATE


async def report(board: Board, view: OutboxView) -> None:
    """Tell the operators. Raises BrokerUnavailableError."""
    await board.write(TOPIC, NAME, view.model_dump_json(by_alias=True), KEPT)


async def reported(board: Board) -> OutboxView | None:
    """What a publisher has told within the last minute. Raises BrokerUnavailableError."""
    fact = (await board.read(TOPIC)).get(NAME)
    try:
        return OutboxView.model_validate_json(fact.text) if fact else None
    except ValidationError:  # another version's, or anybody's
        return None
