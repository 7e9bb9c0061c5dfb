"""One mail over an open connection."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from processors.email.mail import DroppedError, MailDeferredError, MailRefusedError, Receipt, UncertainError
from processors.email.smtp.dialogue import CLOSING, BrokenConnectionError, as_sent
from processors.email.smtp.verdicts import (
    FIRST_REST,
    PAUSE,
    StaleError,
    Step,
    is_final,
    refusal,
    refusal_of_us,
    refused,
    without_addresses,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from processors.email.mail import Mail
    from processors.email.smtp.dialogue import Dialogue, Reply
    from queue_lib.errors import JobError

READY = 354  # to DATA: the content may come
# An address as a command takes it: nothing in it can end the command or add to it.
_PATH = re.compile(r'(?:"(?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*"|[^\s"<>@\x00-\x1f\x7f]+)@[^\s"<>@\x00-\x1f\x7f]+')


@dataclass(slots=True)
class _Replies:
    """To MAIL FROM, to each RCPT TO, and to DATA. What was not asked has no reply."""

    sender: Reply
    recipients: list[Reply] = field(default_factory=list)
    data: Reply | None = None

    @property
    def is_ready(self) -> bool:
        """Whether the server waits for the content."""
        return self.data is not None and self.data.code == READY


async def transact(dialogue: Dialogue, mail: Mail, before_data: Callable[[], Awaitable[None]]) -> Receipt:
    """Send the mail. Raises what `Mailer.send` raises, and StaleError.

    Then the dialogue is clean if it can be used again.
    """
    dialogue.is_sending = dialogue.is_sent = False
    dialogue.mails += 1
    try:
        return await _transact(dialogue, mail, before_data)
    except BrokenConnectionError as error:
        if dialogue.is_sent:
            msg = f"the mail was sent and not acknowledged, so the server may have taken it: {error}"
            raise UncertainError(msg) from error
        if dialogue.is_sending:  # it may be the content that the server does not like
            msg = f"the connection broke while the mail was sent: {error}"
            raise MailDeferredError(msg) from error
        msg = f"the connection to the mail server was lost before the mail was sent: {error}"
        raise DroppedError(msg, FIRST_REST) from error


async def _transact(dialogue: Dialogue, mail: Mail, before_data: Callable[[], Awaitable[None]]) -> Receipt:
    content = as_sent(mail.content)
    commands = _commands(mail, content, dialogue.extensions)
    dialogue.is_clean = False
    replies = await _ask(dialogue, commands)
    _raise_if_of_us(replies)
    receipt = _receipt(mail, replies)
    if receipt.accepted and replies.is_ready:
        await before_data()
        answer = await dialogue.send_content(content)
        if answer.is_good:
            dialogue.is_clean = True
            return replace(receipt, response=str(answer))
        await _begin_again(dialogue, answer)
        raise _refused(answer, receipt)
    if replies.is_ready:  # although nobody is to get it: an empty mail ends it (RFC 2920, 3.1)
        await dialogue.ask(b".")
    await _begin_again(dialogue, replies.data or replies.sender)
    if not replies.sender.is_good:
        raise refused(Step.MAIL, replies.sender)
    if receipt.accepted and replies.data is not None:
        raise _refused(replies.data, receipt)
    return receipt


async def _ask(dialogue: Dialogue, commands: list[bytes]) -> _Replies:
    """Name sender and recipients and ask to send: in one round trip if the server takes that (RFC 2920)."""
    if "pipelining" in dialogue.extensions:
        sender, *recipients = _all(await dialogue.ask(*commands), len(commands))
        return _Replies(sender, recipients[:-1], recipients[-1])
    replies = _Replies(_all(await dialogue.ask(commands[0]))[0])
    if replies.sender.is_good:
        for command in commands[1:-1]:
            replies.recipients += _all(await dialogue.ask(command))
        if any(reply.is_good for reply in replies.recipients):
            (replies.data,) = _all(await dialogue.ask(commands[-1]))
    return replies


def _all(replies: list[Reply], count: int = 1) -> list[Reply]:
    """The replies, if there is one for each command."""
    if len(replies) < count or replies[-1].code == CLOSING:
        text = without_addresses(str(replies[-1]))
        msg = f"the mail server ended the connection: {text}"
        raise StaleError(msg, PAUSE)
    return replies


def _raise_if_of_us(replies: _Replies) -> None:
    """Raise what is no fault of this mail."""
    for step, reply in ((Step.MAIL, replies.sender), *((Step.RECIPIENT, each) for each in replies.recipients)):
        if not reply.is_good and (error := refusal_of_us(step, reply)) is not None:
            raise error


def _receipt(mail: Mail, replies: _Replies) -> Receipt:
    """What the recipients' replies say. A mail is sent only to those that are accepted."""
    pairs = list(zip(mail.recipients, replies.recipients, strict=False))
    refusals = [refusal(address, reply) for address, reply in pairs if not reply.is_good]
    return Receipt(
        accepted=tuple(address for address, reply in pairs if reply.is_good),
        rejected=tuple(each for each in refusals if is_final(each.code)),
        deferred=tuple(each for each in refusals if not is_final(each.code)),
        response="",
    )


def _refused(reply: Reply, receipt: Receipt) -> JobError:
    """What it means that DATA or the content is refused after the recipients have had their replies."""
    error = refused(Step.CONTENT, reply)
    if isinstance(error, MailRefusedError | MailDeferredError):
        error.rejected = receipt.rejected
    return error


async def _begin_again(dialogue: Dialogue, last: Reply) -> None:
    """Forget the mail, so that the connection takes another one; where that fails the connection is closed."""
    if last.code != CLOSING and dialogue.is_open:
        with suppress(BrokenConnectionError):
            (reply,) = await dialogue.ask(b"RSET")
            dialogue.is_clean = reply.is_good


def _commands(mail: Mail, content: bytes, extensions: Mapping[str, str]) -> list[bytes]:
    """MAIL FROM, RCPT TO for each recipient, DATA. Raises MailRefusedError."""
    options = [f"SIZE={len(content)}"] if "size" in extensions else []
    if "8bitmime" in extensions and not content.isascii():
        options.append("BODY=8BITMIME")
    if mail.utf8:
        if "smtputf8" not in extensions:
            msg = "the mail server takes no addresses with letters beyond ASCII (it has no SMTPUTF8)"
            raise MailRefusedError(msg)
        options.append("SMTPUTF8")
    sender = " ".join([f"MAIL FROM:<{_path(mail.sender)}>", *options])
    return [text.encode() for text in (sender, *(f"RCPT TO:<{_path(each)}>" for each in mail.recipients), "DATA")]


def _path(address: str) -> str:
    if not _PATH.fullmatch(address):
        msg = "an address of the mail can't be written in an SMTP command"
        raise MailRefusedError(msg)
    return address
