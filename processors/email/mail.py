"""A mail that is ready to be sent, what became of it, and the port to the server that takes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from queue_lib.errors import PermanentError, SnoozeError, TransientError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from queue_lib.processor import Board


@dataclass(frozen=True, slots=True)
class Mail:
    """A message in bytes, and its envelope.

    `content` has CRLF line ends and no Bcc. `recipients` are addresses alone, each once. `utf8` says that an address
    needs SMTPUTF8 (RFC 6531).
    """

    message_id: str
    sender: str
    recipients: tuple[str, ...]
    content: bytes = field(repr=False)
    utf8: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the server said of one recipient: `code` is SMTP's, `enhanced` is RFC 3463's, such as `5.1.1`, or empty.

    `message` has no address in it; so it is with the words of the errors below.
    """

    address: str = field(repr=False)
    code: int
    enhanced: str
    message: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of each recipient. `deferred` ones may be accepted later (4xx); `rejected` ones will not be (5xx).

    `response` is the server's answer to the message; it is empty if no recipient was accepted and nothing was sent.
    """

    accepted: tuple[str, ...]
    rejected: tuple[Refusal, ...]
    deferred: tuple[Refusal, ...]
    response: str


class ServerAwayError(SnoozeError):
    """The server can't be reached, or wants to be left alone for `delay` seconds. Nothing was sent."""


class DroppedError(ServerAwayError):
    """The server ended this mail's connection before the message, without a word. It may do so for this mail alone."""


class SenderRefusedError(SnoozeError):
    """The server refuses us, not the mail: a wrong password, no TLS, a plan that is used up. Operators are alerted."""


class MailRefusedError(PermanentError):
    """The server refuses this mail for good (5xx to MAIL FROM or DATA): too large, a sender that it does not allow.

    `rejected` are recipients that it had rejected before.
    """

    rejected: tuple[Refusal, ...] = ()


class MailDeferredError(TransientError):
    """The server refuses the whole mail for now (4xx to MAIL FROM or DATA). `rejected` is as above."""

    rejected: tuple[Refusal, ...] = ()


class UncertainError(TransientError):
    """The connection broke after the whole message was sent and before the answer: the server may have taken it."""


class Mailer(Protocol):
    """Hands mails over to a server."""

    async def send(self, mail: Mail, before_data: Callable[[], Awaitable[None]], board: Board) -> Receipt:
        """Send the mail to those of its recipients that the server accepts. It may wait for a free connection.

        On the `board` the processes tell each other that the server is away or wants a pause.
        `before_data` is awaited when at least one recipient was accepted, before the message is sent. If it raises,
        nothing is sent. Raises ServerAwayError, SenderRefusedError, MailRefusedError, MailDeferredError and
        UncertainError; DroppedError is a ServerAwayError that may be due to this mail.
        """

    async def check(self) -> None:
        """Raise the error that the next mail would meet at once, if one is known. It asks no server."""

    async def close(self) -> None:
        """Close all connections."""
