"""uvicorn's side of a connection, which by itself waits for ever for a request that never becomes whole."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    from asyncio import TimerHandle

PATIENCE = 10.0  # seconds for the head of a request, or for the rest of one that is answered already


class PatientConnection(H11Protocol):
    """Closes a connection whose client owes the rest of a request for too long. Bodies that are read have BodyLimit."""

    patience = PATIENCE
    _late: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """It owes a request."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """It may be whole now."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """The next one is owed."""
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is owed any more."""
        self._forgive()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Have the clock run while something is owed: it is not set back by each byte that comes."""
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
