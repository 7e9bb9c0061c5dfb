"""The local mail server, as Python's own client meets it."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from typing import TYPE_CHECKING

import pytest

from embedded.smtp_server import Answer, SmtpServer

if TYPE_CHECKING:
    from pathlib import Path

MAIL = b"Subject: Hello\r\n\r\n.dot\r\n"


def _send(port: int, *to: str) -> dict[str, tuple[int, bytes]]:
    with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
        return client.sendmail("app@example.com", to or ["ann@example.com"], MAIL)


async def test_it_keeps_what_it_is_sent(smtp_server: SmtpServer) -> None:
    """A mail arrives with its envelope, byte by byte."""
    await asyncio.to_thread(_send, smtp_server.port, "ann@example.com", "bob@example.com")
    (mail,) = smtp_server.received
    assert (mail.sender, mail.recipients) == ("app@example.com", ("ann@example.com", "bob@example.com"))
    assert mail.content == MAIL
    assert mail.message["Subject"] == "Hello"
    assert not mail.is_encrypted
    assert (smtp_server.connections, smtp_server.peak) == (1, 1)


async def test_it_answers_as_told(smtp_server: SmtpServer) -> None:
    """An answer is for one recipient, or one step, once or from now on; what it refuses it does not keep."""
    smtp_server.answer("RCPT bob@example.com", "550 5.1.1 no such user")
    smtp_server.answer_once("END", "554 5.7.1 spam")
    with pytest.raises(smtplib.SMTPDataError, match="spam"):
        await asyncio.to_thread(_send, smtp_server.port)
    refused = await asyncio.to_thread(_send, smtp_server.port, "ann@example.com", "bob@example.com")
    assert refused == {"bob@example.com": (550, b"5.1.1 no such user")}
    assert [mail.recipients for mail in smtp_server.received] == [("ann@example.com",)]
    assert smtp_server.steps["RCPT"] == 3


@pytest.mark.parametrize(("step", "taken"), [("CONNECT", 0), ("DATA", 0), ("END", 1)])
async def test_it_drops_a_connection(smtp_server: SmtpServer, step: str, taken: int) -> None:
    """A connection that is dropped after the final dot has brought its mail."""
    smtp_server.answer_once(step, Answer(drop=True))
    with pytest.raises(smtplib.SMTPServerDisconnected):
        await asyncio.to_thread(_send, smtp_server.port)
    await asyncio.to_thread(_send, smtp_server.port)
    assert len(smtp_server.received) == taken + 1


async def test_it_asks_for_a_password_over_tls(smtp_tls: ssl.SSLContext, smtp_certificate: tuple[Path, Path]) -> None:
    """It knows one user, and speaks TLS with a certificate that nobody has signed."""
    server = SmtpServer(user="app", password="secret", tls=smtp_tls)
    await server.start()

    def send(password: str) -> None:
        with smtplib.SMTP("127.0.0.1", server.port, timeout=10) as client:
            client.starttls(context=ssl.create_default_context(cafile=smtp_certificate[0]))
            client.login("app", password)
            client.sendmail("app@example.com", ["ann@example.com"], MAIL)

    await asyncio.to_thread(send, "secret")
    with pytest.raises(smtplib.SMTPAuthenticationError):
        await asyncio.to_thread(send, "wrong")
    with pytest.raises(smtplib.SMTPSenderRefused, match="530"):
        await asyncio.to_thread(_send, server.port)
    assert [(mail.user, mail.is_encrypted) for mail in server.received] == [("app", True)]
    await server.stop()


async def test_it_closes_after_some_mails_and_stops_with_all_that_hangs(smtp_server: SmtpServer) -> None:
    """`per_connection` ends a connection after its last mail, `stop` every one; then it can be started again."""
    smtp_server.per_connection = 1

    def send_two() -> None:
        with smtplib.SMTP("127.0.0.1", smtp_server.port, timeout=10) as client:
            client.sendmail("app@example.com", ["ann@example.com"], MAIL)
            client.sendmail("app@example.com", ["ann@example.com"], MAIL)

    with pytest.raises(smtplib.SMTPServerDisconnected):
        await asyncio.to_thread(send_two)
    assert len(smtp_server.received) == 1
    smtp_server.answer_once("EHLO", Answer(hang=True))
    before = smtp_server.steps["EHLO"]
    hanging = asyncio.create_task(asyncio.to_thread(_send, smtp_server.port))
    while smtp_server.steps["EHLO"] == before:
        await asyncio.sleep(0.01)
    await smtp_server.stop()
    with pytest.raises(smtplib.SMTPServerDisconnected):
        await hanging
    await smtp_server.start(smtp_server.port)
    await asyncio.to_thread(_send, smtp_server.port)
    assert len(smtp_server.received) == 2
