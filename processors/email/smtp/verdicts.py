"""What a server's answer means for the mail, and for those that follow (RFC 5321, 4.2; RFC 3463)."""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING

from processors.email.mail import MailDeferredError, MailRefusedError, Refusal, SenderRefusedError, ServerAwayError

if TYPE_CHECKING:
    from processors.email.smtp.dialogue import Reply
    from queue_lib.errors import JobError

FIRST_REST = 15.0  # seconds for which a server is left alone that can't be reached; doubled while it stays away
PAUSE = 60.0  # seconds for one that wants to be asked less often
REFUSED = 300.0  # seconds for one that refuses us, until an operator has seen to it
# 421 is any server's "not now". 454 is SES's "Maximum sending rate exceeded", and a sign-in that can't be checked.
_SLOW_CODES = frozenset({421, 454})
# 4.7.28: Gmail's limits of rate. 4.7.0 is any policy of now; said of a recipient, it is about that one alone.
_SLOW_ENHANCED = frozenset({"4.7.0", "4.7.28"})
_OF_A_RECIPIENT = frozenset({"4.7.0"})
# Sign in first; use TLS first; a wrong password or one that is too weak a way to sign in (RFC 4954, RFC 3207).
_REFUSED_CODES = frozenset({530, 534, 535, 538})
_REFUSED_ENHANCED = frozenset({"5.4.5"})  # Gmail's daily limit
# A try begins where a word does: a server may send a word of 32 kB, and a try at each letter of it takes 18 s.
_ADDRESS = re.compile(r"<?(?<![^\s<>])[^\s<>]+@[^\s<>]+>?")
FINAL = 5  # hundreds of a reply
_MOST = 300  # characters of a server's line


class StaleError(ServerAwayError):
    """The server ended the connection before the mail was sent, so another connection may be tried at once."""


class Step(enum.Enum):
    """Where a server refuses."""

    CONNECT = "the connection"
    TLS = "TLS"
    AUTH = "the user and password"
    MAIL = "the sender"
    RECIPIENT = "a recipient"
    CONTENT = "the mail"


def is_final(code: int) -> bool:
    """Whether the same would be answered again."""
    return code // 100 == FINAL


def refusal(address: str, reply: Reply) -> Refusal:
    """What the server said of a recipient."""
    return Refusal(address, reply.code, reply.enhanced, without_addresses(reply.message))


def refusal_of_us(step: Step, reply: Reply) -> ServerAwayError | SenderRefusedError | None:
    """What the answer means for all mails; None if it is about this one."""
    text = f"the mail server refuses {step.value}: {without_addresses(str(reply))}"
    slow = _SLOW_ENHANCED - _OF_A_RECIPIENT if step is Step.RECIPIENT else _SLOW_ENHANCED
    if reply.code in _SLOW_CODES or reply.enhanced in slow:
        return ServerAwayError(f"the mail server wants a pause: {without_addresses(str(reply))}", PAUSE)
    if reply.code in _REFUSED_CODES or reply.enhanced in _REFUSED_ENHANCED:
        return SenderRefusedError(text, REFUSED)
    if step is Step.AUTH:
        return SenderRefusedError(text, REFUSED) if is_final(reply.code) else ServerAwayError(text, PAUSE)
    return ServerAwayError(text, FIRST_REST) if step in {Step.CONNECT, Step.TLS} else None


def refused(step: Step, reply: Reply) -> JobError:
    """What an answer to MAIL FROM, DATA or the content means."""
    if (error := refusal_of_us(step, reply)) is not None:
        return error
    text = f"the mail server refuses {step.value}: {without_addresses(str(reply))}"
    return MailRefusedError(text) if is_final(reply.code) else MailDeferredError(text)


def without_addresses(text: str) -> str:
    """A server's line without the addresses in it, for the log; it is cut where it is very long."""
    return _ADDRESS.sub("<address>", text)[:_MOST]
