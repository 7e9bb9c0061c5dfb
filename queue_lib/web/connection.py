"""A connection that does not wait for ever: uvicorn has no time limit for an incomplete request."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from asyncio import TimerHandle

PATIENCE = 10.0  # seconds for a request's head, or for the rest of a request that is already answered


class PatientConnection(H11Protocol):
    """Closes a connection whose client does not complete its request in time. BodyLimit times bodies."""

    patience = PATIENCE
    _late: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The client owes a request."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """The request may be complete now."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """The client owes the next request."""
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client owes nothing any more."""
        self._forgive()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Run the timer while the client owes something. A single byte does not restart it."""
        is_answered = self.conn.our_state is h11.DONE
        owes = self.conn.their_state is h11.IDLE or (is_answered and self.conn.their_state is h11.SEND_BODY)
        if not owes:
            self._forgive()
        elif self._late is None:
            self._late = self.loop.call_later(self.patience, self.timeout_keep_alive_handler)

    def _forgive(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None
