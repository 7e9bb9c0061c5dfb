"""Connections to a mail server that are kept for the next mail. The bounds are Nodemailer's, or narrower."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from processors.email.smtp.dialogue import BrokenConnectionError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from processors.email.smtp.dialogue import Dialogue

# Servers end connections that are used for long: "421 session maximum lifetime" (nodemailer#1149), mozilla/fxa#11596.
MOST_MAILS = 100
LIFETIME = 300.0  # seconds
# Pools have hung on connections that were dead after four idle minutes (nodemailer#511, nodemailer#576).
IDLE = 30.0  # seconds until an unused connection is closed
ASK_AFTER = 10.0  # seconds of rest after which a connection is asked whether it lives


@dataclass(eq=False, slots=True)
class _Kept:
    """An open connection. It waits since `idle_since`, until `timer` closes it."""

    dialogue: Dialogue
    opened: float
    idle_since: float = 0.0
    timer: asyncio.TimerHandle | None = None


class Pool:
    """At most `size` connections; each is lent for one mail at a time. Times are seconds of `clock`."""

    def __init__(
        self, connect: Callable[[], Awaitable[Dialogue]], size: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._connect, self._clock = connect, clock
        self._slots = asyncio.Semaphore(size)
        self._idle: list[_Kept] = []
        self._lent: set[_Kept] = set()

    def slot(self) -> asyncio.Semaphore:
        """The right to one connection, to be held while one is lent. Those who wait get it in their order."""
        return self._slots

    @asynccontextmanager
    async def lend(self, *, is_new: bool = False) -> AsyncIterator[Dialogue]:
        """A connection, an open one if possible. If it is clean at the end, it is kept for later."""
        kept = None if is_new else await self._reuse()
        if kept is None:
            kept = _Kept(await self._connect(), self._clock())
        self._lent.add(kept)
        try:
            yield kept.dialogue
        finally:
            self._lent.discard(kept)
            self._put_back(kept)

    def close(self) -> None:
        """Close all connections."""
        for kept in (*self._idle, *self._lent):
            _close(kept)
        self._idle.clear()

    async def _reuse(self) -> _Kept | None:
        """The connection that was used last, if it still lives."""
        while self._idle:
            kept = self._idle.pop()
            if kept.timer is not None:
                kept.timer.cancel()
            if kept.dialogue.is_open and await self._lives(kept):
                return kept
            _close(kept)
        return None

    async def _lives(self, kept: _Kept) -> bool:
        if self._clock() - kept.idle_since < ASK_AFTER:
            return True
        try:
            (reply,) = await kept.dialogue.ask(b"NOOP")
        except BrokenConnectionError:
            return False
        except BaseException:
            _close(kept)
            raise
        return reply.is_good

    def _put_back(self, kept: _Kept) -> None:
        dialogue, now = kept.dialogue, self._clock()
        is_used_up = dialogue.mails >= MOST_MAILS or now - kept.opened >= LIFETIME
        if not dialogue.is_open or not dialogue.is_clean or is_used_up:
            _close(kept)
            return
        kept.idle_since = now
        kept.timer = asyncio.get_running_loop().call_later(IDLE, self._let_go, kept)
        self._idle.append(kept)

    def _let_go(self, kept: _Kept) -> None:
        self._idle.remove(kept)
        _close(kept)


def _close(kept: _Kept) -> None:
    if kept.timer is not None:
        kept.timer.cancel()
    kept.dialogue.close()
