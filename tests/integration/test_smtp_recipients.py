"""Whatever an app writes as addresses: the server gets the mail for exactly those that were taken."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from embedded.smtp_server import SmtpServer
from processors.email.mail import Mail
from processors.email.message import Words, build
from processors.email.payload import EmailPayload, Mailbox
from processors.email.smtp.mailer import SmtpMailer
from processors.email.smtp.server import Server, Tls
from queue_lib.broker.board import MemoryBoard

if TYPE_CHECKING:
    from processors.email.mail import Receipt

ODD = st.text(st.sampled_from('ab@.,;:<>()[]"\\ \r\n\t%!=+é例'), max_size=8)
PLAIN = st.text(st.sampled_from("ab.%!=+'é例"), min_size=1, max_size=8)
NEXT = ["", "@b.example", "<b@b.example>", "@例え.example", "\r\nRCPT TO:<v@b.example>", '"\r\nDATA\r\n"@b.example']
ADDRESSES = st.builds("".join, st.tuples(ODD | PLAIN, st.sampled_from(NEXT)))
FIELDS = st.lists(st.one_of(ADDRESSES, PLAIN.map("{}@b.example".format), st.emails()), min_size=1, max_size=4)
NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=20)


@given(FIELDS, FIELDS, NAMES)
def test_a_mail_goes_to_exactly_the_given_recipients(to: list[str], bcc: list[str], name: str) -> None:
    """Each of them is accepted or rejected by its own name, and nobody else is."""
    people = [{"name": name, "address": each} for each in to if is_taken(each)]
    assume(people)
    bcc = [each for each in bcc if is_taken(each)]
    payload = EmailPayload.model_validate({"to": people, "bcc": bcc, "subject": name or "s", "text": name})
    receipt, server = asyncio.run(sent(payload))
    answered = [*receipt.accepted, *(each.address for each in (*receipt.rejected, *receipt.deferred))]
    assert sorted(payload.recipients) == sorted(answered)
    assert ([receipt.accepted] if receipt.accepted else []) == [mail.recipients for mail in server.received]


def is_taken(text: str) -> bool:
    """Whether the worker takes it as an address."""
    try:
        return bool(Mailbox.model_validate({"address": text}))
    except ValidationError:
        return False


async def sent(payload: EmailPayload) -> tuple[Receipt, SmtpServer]:
    """What a server said, and got."""
    server = SmtpServer()
    await server.start()
    mailer = SmtpMailer(Server("127.0.0.1", server.port, Tls.NEVER), 1)
    shop = Mailbox(name="Shop", address="shop@b.example")
    content, utf8 = build(payload, shop, "<1@b.example>", Words(payload.subject or "", None, "t"), (), {})
    mail = Mail("<1@b.example>", shop.address, payload.recipients, content, utf8)
    receipt = await mailer.send(mail, nothing, MemoryBoard())
    await mailer.close()
    await server.stop()
    return receipt, server


async def nothing() -> None:
    """No note is needed."""
