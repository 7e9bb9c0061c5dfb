"""When a mail server is left alone: this process knows, and tells the others on the board."""

from __future__ import annotations

import json
import math
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from processors.email.mail import (
    DroppedError,
    MailDeferredError,
    MailRefusedError,
    SenderRefusedError,
    ServerAwayError,
)
from queue_lib.errors import BrokerUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from queue_lib.processor import Board, Fact

TOPIC = "mail-servers"
LONGEST = 300.0  # seconds of a rest
AGAIN = 5.0  # seconds until a mail that meets the probe of another may try again
PROBE = 15.0  # seconds after which another process may probe; the shortest rest is no shorter
KEPT = 60.0  # seconds that a rest stays on the board after its end
HEAR_EVERY = 5.0  # seconds between reads of the board

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Rest:
    """The server is left alone until `until`, for `reason`; `seconds` is the length. Times are those of the clock."""

    until: float
    seconds: float
    reason: str
    is_refusal: bool
    is_probed: bool = False
    is_told: bool = False

    def error(self, delay: float) -> ServerAwayError | SenderRefusedError:
        return (SenderRefusedError if self.is_refusal else ServerAwayError)(self.reason, delay)


class Circuit:
    """Lets mails through to one server, or raises why it is left alone. After a rest a single mail is the probe."""

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        """`name` is the server's, for the log and the board."""
        self._name, self._clock = name, clock
        self._rest: _Rest | None = None
        self._dropped = ""  # the last mail, if its connection was dropped
        self._heard_at = -math.inf

    def check(self) -> None:
        """Raise ServerAwayError or SenderRefusedError if a mail would meet it now."""
        rest, now = self._rest, self._clock()
        if rest is not None and (rest.is_probed or now < rest.until):
            raise rest.error(max(rest.until - now, AGAIN))

    @asynccontextmanager
    async def passing(self, mail: str, board: Board) -> AsyncIterator[None]:
        """Let the mail of this id through, and learn from how it ends."""
        probed = await self._enter(board)
        try:
            yield
        except (ServerAwayError, SenderRefusedError) as error:
            if self._may_be_the_mail(error, mail) and probed is None:
                raise
            seconds = await self._failed(error, probed, board)
            raise type(error)(str(error), seconds) from error
        except (MailRefusedError, MailDeferredError):  # the server works
            await self._worked(probed, board)
            raise
        else:
            await self._worked(probed, board)
        finally:
            if probed is not None:
                probed.is_probed = False

    async def _enter(self, board: Board) -> _Rest | None:
        """The rest that this mail probes, if it does."""
        await self._hear(board)
        self.check()
        if (rest := self._rest) is None:
            return None
        rest.is_probed = True
        try:
            is_ours = await board.claim(TOPIC, self._name, PROBE)
        except BrokerUnavailableError:
            is_ours = True
        except BaseException:
            rest.is_probed = False
            raise
        if not is_ours:
            rest.is_probed, rest.until = False, self._clock() + AGAIN
            raise rest.error(AGAIN)
        return rest

    def _may_be_the_mail(self, error: Exception, mail: str) -> bool:
        """Whether only this mail's connections were dropped: a server may do so for a recipient that it knows."""
        before, self._dropped = self._dropped, mail if isinstance(error, DroppedError) else ""
        return bool(self._dropped) and before in {"", mail}

    async def _worked(self, probed: _Rest | None, board: Board) -> None:
        """Only a probe ends a rest: an older mail may be answered during it."""
        self._dropped = ""
        if probed is None or self._rest is not probed:
            return
        self._rest = None
        _log.info("mail_server_back", server=self._name)
        with suppress(BrokerUnavailableError):
            await board.erase(TOPIC, self._name)

    async def _failed(self, error: ServerAwayError | SenderRefusedError, probed: _Rest | None, board: Board) -> float:
        """Begin a rest, or a longer one. Returns for how many seconds."""
        now = self._clock()
        if self._rest is not None and self._rest is not probed:  # others have found out, too
            return max(self._rest.until - now, error.delay)
        seconds = error.delay if probed is None else min(max(error.delay, 2 * probed.seconds), LONGEST)
        is_refusal = isinstance(error, SenderRefusedError)
        self._rest = rest = _Rest(now + seconds, seconds, str(error), is_refusal)
        log = _log.error if probed is None else _log.warning
        log("mail_server_rests", server=self._name, reason=rest.reason, refused=is_refusal, delay=seconds)
        text = json.dumps({"seconds": seconds, "reason": rest.reason, "refused": is_refusal})
        with suppress(BrokerUnavailableError):
            await board.write(TOPIC, self._name, text, seconds + KEPT)
            rest.is_told = True
        return seconds

    async def _hear(self, board: Board) -> None:
        """Read what other processes have found out."""
        now = self._clock()
        if now - self._heard_at < HEAR_EVERY:
            return
        self._heard_at, before = now, self._rest
        try:
            fact = (await board.read(TOPIC)).get(self._name)
        except BrokerUnavailableError:
            return
        if fact is None and before is not None and before.is_told and self._rest is before:
            self._rest = None  # another process has seen that it works
        elif fact is not None and self._rest is before and (before is None or not before.is_probed):
            self._rest = _told(fact, now) or before


def _told(fact: Fact, now: float) -> _Rest | None:
    """A rest as `_failed` writes it; None if something else has been written."""
    try:
        told: dict[str, Any] = json.loads(fact.text)
        seconds, reason, is_refusal = float(told["seconds"]), str(told["reason"]), bool(told["refused"])
    except (ValueError, TypeError, KeyError):
        return None
    return _Rest(now + fact.left - KEPT, seconds, reason, is_refusal, is_told=True)
