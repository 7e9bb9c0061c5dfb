"""The message: headers, text, html and attachments, as bytes that any server takes. Pure.

Everything is 7 bit, but for headers with addresses that need SMTPUTF8. No header can end early: the payload's models
refuse line breaks, and what is written here has none.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from processors.email.payload import EmailPayload, Mailbox

ONE_CLICK = "List-Unsubscribe=One-Click"
# Not in a mail: control characters, and halves of pairs, which are no text.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Words:
    """What a mail says, whether the app has written it or a template has."""

    subject: str
    html: str | None
    text: str | None


@dataclass(frozen=True, slots=True)
class File:
    """An attachment: `encoded` is its content in base64, in lines with CRLF. One with a `cid` is shown in the html."""

    name: str
    content_type: str
    cid: str | None
    encoded: bytes | bytearray


def build(
    payload: EmailPayload, sender: Mailbox, message_id: str, words: Words, files: Sequence[File], extra: dict[str, str]
) -> tuple[bytes, bool]:
    """The bytes of the message, with CRLF, and whether they need SMTPUTF8. `extra` are further headers of our own."""
    people = (sender, *payload.to, *payload.cc, *payload.bcc, *payload.reply_to)
    utf8 = not all(each.address.isascii() for each in people)
    message = EmailMessage((SMTPUTF8 if utf8 else SMTP).clone(cte_type="7bit"))
    message["Date"] = datetime.now(UTC)
    further = {name: _encoded(value) for name, value in {**payload.headers, **extra}.items()}
    headers = {"Message-ID": message_id, **_addressed(payload, sender), "Subject": _encoded(words.subject), **further}
    # EmailMessage would cut a long URL into encoded words.
    lines = "".join(f"{name}: {value}\r\n" for name, value in {**headers, **_one_click(payload)}.items())
    _fill(message, words)
    marks = {_attach(message, file): file.encoded for file in files}
    return lines.encode() + b"".join(_filled(message.as_bytes(), marks)), utf8


def clean(text: str) -> str:
    """Text that UTF-8 can hold: JavaScript cuts strings within a character, and databases keep control characters."""
    return _UNPRINTABLE.sub("", text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def plain(text: str) -> str:
    """The same in one line, for a header, where nothing of it may be read as an encoded word (RFC 2047)."""
    return re.sub(r"[\r\n]+", " ", clean(text)).replace("=?", "= ?")


def _addressed(payload: EmailPayload, sender: Mailbox) -> dict[str, str]:
    people = {"From": [sender], "To": payload.to, "Cc": payload.cc, "Reply-To": payload.reply_to}
    return {header: ",\r\n ".join(map(_written, mailboxes)) for header, mailboxes in people.items() if mailboxes}


def _written(mailbox: Mailbox) -> str:
    user, _, domain = mailbox.address.rpartition("@")
    name = plain(mailbox.name or "")
    if name.isascii():
        return str(Address(name, user, domain))
    return f"{_encoded(name)} {Address('', user, domain).addr_spec.join('<>')}"


def _encoded(text: str) -> str:
    """Words of a header. The policies of EmailMessage lose and add spaces in long ones, and commas between names."""
    text = plain(text)
    return text if text.isascii() else Header(text, "utf-8", maxlinelen=64).encode(linesep="\r\n")


def _one_click(payload: EmailPayload) -> dict[str, str]:
    """The headers of RFC 8058."""
    if payload.unsubscribe_url is None:
        return {}
    return {"List-Unsubscribe": f"<{payload.unsubscribe_url}>", "List-Unsubscribe-Post": ONE_CLICK}


def _fill(message: EmailMessage, words: Words) -> None:
    if words.text is not None:
        message.set_content(clean(words.text))
    if words.html is None:
        return
    if words.text is None:
        message.set_content(clean(words.html), subtype="html")
    else:
        message.add_alternative(clean(words.html), subtype="html")


def _attach(message: EmailMessage, file: File) -> bytes:
    """Add the file with a mark in place of its content, which the library would copy four times; returns the mark."""
    mark = secrets.token_hex(16)
    kind, _, subtype = file.content_type.partition("/")
    named: dict[str, Any] = {"filename": clean(file.name), "maintype": kind, "subtype": subtype}
    html = message.get_body(("related", "html")) if file.cid else None
    if html is None:
        message.add_attachment(b"", **named)
    else:
        html.add_related(b"", cid=f"<{file.cid}>", disposition="inline", **named)
    parts: Any = (message if html is None else html).get_payload()  # a list: it is multipart now
    parts[-1].set_payload(mark)
    return mark.encode()


def _filled(message: bytes, marks: dict[bytes, bytes | bytearray]) -> Iterator[bytes | bytearray]:
    """The message with the contents in place of their marks, in pieces."""
    if not marks:
        yield message
        return
    for piece in re.split(b"(" + b"|".join(marks) + b")", message):
        yield marks.get(piece, piece)
