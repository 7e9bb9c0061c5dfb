"""What the mailer makes of each answer of a mail server (research: the table of verdicts; RFC 5321, 4.2)."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from embedded.smtp_server import Answer, SmtpServer
from processors.email.mail import (
    Mail,
    MailDeferredError,
    MailRefusedError,
    Receipt,
    SenderRefusedError,
    ServerAwayError,
    UncertainError,
)
from processors.email.smtp.dialogue import Timeouts
from processors.email.smtp.mailer import SmtpMailer
from processors.email.smtp.server import Server, Tls
from queue_lib.broker.board import MemoryBoard
from tests.support.polling import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from queue_lib.errors import SnoozeError

ANN, BOB, CY = "ann@example.com", "bob@example.com", "cy@example.com"
CONTENT = b"From: app@example.com\r\nSubject: Hello\r\n\r\nHello\r\n.\r\n.dot\r\n"
SHORT = Timeouts(reply=0.2)  # for a server that hangs before the content
SHORT_END = Timeouts(final=0.2)


def mail(*recipients: str, content: bytes = CONTENT, number: str = "1") -> Mail:
    """A mail to these, or to Ann."""
    return Mail(f"<{number}@example.com>", "app@example.com", recipients or (ANN,), content)


class Sending:
    """A mailer, and how often it was about to send a content."""

    def __init__(self, mailer: SmtpMailer) -> None:
        self.mailer, self.board, self.noted = mailer, MemoryBoard(), 0

    async def send(self, *recipients: str, content: bytes = CONTENT, number: str = "1") -> Receipt:
        """Send a mail."""
        return await self.mailer.send(mail(*recipients, content=content, number=number), self._note, self.board)

    async def _note(self) -> None:
        self.noted += 1


@asynccontextmanager
async def sending(
    server: SmtpServer, timeouts: Timeouts | None = None, *, user: str = "", password: str = ""
) -> AsyncIterator[Sending]:
    """A mailer to this server."""
    mailer = SmtpMailer(Server("127.0.0.1", server.port, Tls.NEVER, user, password), 5, timeouts=timeouts)
    try:
        yield Sending(mailer)
    finally:
        await mailer.close()


@pytest.fixture(params=[pytest.param(True, id="pipelining"), pytest.param(False, id="one by one")])
async def server(request: pytest.FixtureRequest, smtp_server: SmtpServer) -> SmtpServer:
    """A server that takes commands in groups, and one that takes them one by one."""
    smtp_server.pipelining = request.param
    return smtp_server


async def test_a_mail_arrives_as_it_is(server: SmtpServer) -> None:
    """Envelope and content are those of the mail, also lines that begin with a dot, and one with a dot alone."""
    async with sending(server) as app:
        receipt = await app.send(ANN, BOB)
    (received,) = server.received
    assert (received.sender, received.recipients, received.content) == ("app@example.com", (ANN, BOB), CONTENT)
    assert receipt == Receipt((ANN, BOB), (), (), "250 2.0.0 taken")
    assert app.noted == 1


async def test_each_recipient_has_a_verdict_of_its_own(server: SmtpServer) -> None:
    """Who is accepted gets the mail; who is rejected and who may be accepted later is in the receipt."""
    server.answer(f"RCPT {BOB}", "550-5.1.1 no such user\r\n550 5.1.1 <bob@example.com> here")
    server.answer(f"RCPT {CY}", "451 4.7.1 greylisted, come again")
    async with sending(server) as app:
        receipt = await app.send(ANN, BOB, CY)
        await app.send(ANN)
    assert [each.recipients for each in server.received] == [(ANN,), (ANN,)]
    (rejected,), (deferred,) = receipt.rejected, receipt.deferred
    assert (rejected.address, rejected.code, rejected.enhanced) == (BOB, 550, "5.1.1")
    assert rejected.message == "no such user <address> here"
    assert (deferred.address, deferred.code, deferred.enhanced) == (CY, 451, "4.7.1")
    assert server.connections == 1


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        pytest.param("450 4.2.1 try later", "deferred", id="450"),
        pytest.param("451 4.7.1 greylisted", "deferred", id="451"),
        pytest.param("452 4.2.2 mailbox full", "deferred", id="452"),
        pytest.param("450 4.7.0 not now", "deferred", id="a policy for this recipient"),
        pytest.param("550 5.1.1 unknown", "rejected", id="550"),
        pytest.param("553 no such name", "rejected", id="553"),
    ],
)
async def test_nobody_is_accepted(server: SmtpServer, answer: str, kind: str) -> None:
    """Then nothing is sent, nothing is noted, and the connection is used again."""
    server.answer_once("RCPT", answer)
    async with sending(server) as app:
        receipt = await app.send()
        assert (receipt.accepted, receipt.response, app.noted) == ((), "", 0)
        assert [each.code for each in getattr(receipt, kind)] == [int(answer[:3])]
        await app.send()
    assert (len(server.received), server.connections) == (1, 1)


@pytest.mark.parametrize(
    ("step", "answer", "error", "delay"),
    [
        pytest.param("CONNECT", "554 5.7.1 blocked", ServerAwayError, 15, id="a greeting that refuses"),
        pytest.param("CONNECT", Answer(drop=True), ServerAwayError, 15, id="no greeting"),
        pytest.param("CONNECT", Answer(hang=True), ServerAwayError, 15, id="a greeting that hangs"),
        pytest.param("CONNECT", "421 4.3.2 too many connections", ServerAwayError, 60, id="421 for a greeting"),
        pytest.param("EHLO", Answer(hang=True), ServerAwayError, 15, id="EHLO hangs"),
        pytest.param("MAIL", "421 4.7.0 slow down", ServerAwayError, 60, id="421 for MAIL"),
        pytest.param("MAIL", "450 4.7.0 not now", ServerAwayError, 60, id="a policy for all"),
        pytest.param("MAIL", "454 Throttling failure: Maximum sending rate exceeded.", ServerAwayError, 60, id="SES"),
        pytest.param("RCPT", "450 4.7.28 rate limited", ServerAwayError, 60, id="Gmail's rate"),
        pytest.param("END", "421 4.7.0 too much", ServerAwayError, 60, id="421 for the content"),
        pytest.param("MAIL", "530 5.7.0 sign in first", SenderRefusedError, 300, id="530"),
        pytest.param("MAIL", "530 5.7.0 Must issue a STARTTLS command first", SenderRefusedError, 300, id="STARTTLS"),
        pytest.param("END", "550 5.4.5 Daily user sending limit exceeded", SenderRefusedError, 300, id="a full plan"),
    ],
)
async def test_what_is_no_fault_of_the_mail(
    server: SmtpServer, step: str, answer: Answer | str, error: type[SnoozeError], delay: float
) -> None:
    """It uses no attempt, and the next mail is put off without asking the server."""
    server.answer(step, answer)
    async with sending(server, SHORT if answer == Answer(hang=True) else None) as app:
        with pytest.raises(error) as caught:
            await app.send()
        asked = server.connections
        with pytest.raises(error) as again:
            await app.send()
        with pytest.raises(error):
            await app.mailer.check()
    assert (caught.value.delay, server.connections, server.received) == (delay, asked, [])
    assert delay - 5 < again.value.delay <= delay
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("step", "answer"),
    [
        pytest.param("MAIL", Answer(hang=True), id="MAIL hangs"),
        pytest.param("RCPT", Answer(drop=True), id="dropped at RCPT"),
        pytest.param("DATA", Answer(drop=True), id="dropped at DATA"),
    ],
)
async def test_a_connection_that_is_lost_before_the_content(server: SmtpServer, step: str, answer: Answer) -> None:
    """The mail is put off without an attempt. A second mail that meets it shows that it is the server's doing."""
    server.answer(step, answer)
    async with sending(server, SHORT if answer.hang else None) as app:
        for number in ("1", "2"):
            await app.mailer.check()
            with pytest.raises(ServerAwayError, match="lost before the mail was sent") as caught:
                await app.send(number=number)
            assert caught.value.delay == 15
        with pytest.raises(ServerAwayError):
            await app.mailer.check()
    assert (app.noted, server.received) == (0, [])


async def test_a_content_that_the_server_does_not_let_in(server: SmtpServer) -> None:
    """A server that hangs up in the middle may do so for this mail: it uses an attempt, and other mails go on."""
    content = CONTENT + b"0123456789\r\n" * 1_000_000
    async with sending(server) as app:
        sent = asyncio.create_task(app.send(content=content))
        await until(lambda: server.steps["DATA"])
        for session in list(server.sessions):
            session.abort()
        with pytest.raises(MailDeferredError, match="broke while the mail was sent"):
            await sent
        await app.send()
    assert len(server.received) == 1


@pytest.mark.parametrize(
    ("step", "answer", "error"),
    [
        pytest.param("MAIL", "550 5.7.1 not your domain", MailRefusedError, id="a sender"),
        pytest.param("MAIL", "552 5.3.4 too big", MailRefusedError, id="a size"),
        pytest.param("MAIL", "451 4.3.0 try later", MailDeferredError, id="MAIL, for now"),
        pytest.param("DATA", "554 5.5.1 no valid recipients", MailRefusedError, id="DATA"),
        pytest.param("DATA", "451 4.3.0 try later", MailDeferredError, id="DATA, for now"),
        pytest.param("END", "552 5.3.4 too big", MailRefusedError, id="a content that is too big"),
        pytest.param("END", "554 5.7.1 <ann@example.com> spam", MailRefusedError, id="a content"),
        pytest.param("END", "452 4.3.1 no room", MailDeferredError, id="a content, for now"),
    ],
)
async def test_a_mail_that_is_refused(server: SmtpServer, step: str, answer: str, error: type[Exception]) -> None:
    """It says why, without an address, and the next mail is sent over the same connection."""
    server.answer_once(step, answer)
    async with sending(server) as app:
        with pytest.raises(error, match=answer[:9]) as caught:
            await app.send()
        await app.send()
    assert ANN not in str(caught.value)
    assert (len(server.received), server.connections) == (1, 1)


@pytest.mark.parametrize("step", ["DATA", "END"])
async def test_a_refused_mail_tells_who_was_rejected_before(server: SmtpServer, step: str) -> None:
    """What a bounce is does not depend on the content."""
    server.answer(f"RCPT {BOB}", "550 5.1.1 no such user")
    server.answer(step, "554 5.7.1 spam")
    async with sending(server) as app:
        with pytest.raises(MailRefusedError) as caught:
            await app.send(ANN, BOB)
    assert [BOB] == [refusal.address for refusal in caught.value.rejected]


@pytest.mark.parametrize("answer", [Answer(drop=True), Answer(hang=True)], ids=["drops", "says nothing"])
async def test_after_the_final_dot_nobody_knows(server: SmtpServer, answer: Answer) -> None:
    """A server that says nothing more after the final dot may have taken the mail. It is not said to be away."""
    server.answer_once("END", answer)
    async with sending(server, SHORT_END if answer.hang else None) as app:
        with pytest.raises(UncertainError):
            await app.send()
        await app.mailer.check()
    assert (app.noted, len(server.received)) == (1, 1)


async def test_nothing_is_sent_if_the_note_fails(server: SmtpServer) -> None:
    """What is raised before the content ends the mail, and the server gets nothing."""

    async def fail() -> None:
        raise RuntimeError

    async with sending(server) as app:
        with pytest.raises(RuntimeError):
            await app.mailer.send(mail(), fail, app.board)
        await app.send()
    assert len(server.received) == 1


async def test_a_wrong_password(smtp_server: SmtpServer) -> None:
    """It is tried once, and refused as ours; with the right one mails go on."""
    smtp_server.user, smtp_server.password = "app", "right"
    async with sending(smtp_server, user="app", password="wrong") as app:
        with pytest.raises(SenderRefusedError, match=r"535 5\.7\.8") as caught:
            await app.send()
    assert "wrong" not in str(caught.value)
    assert (smtp_server.steps["AUTH"], smtp_server.connections) == (1, 1)
    async with sending(smtp_server, user="app", password="right") as app:
        await app.send()
    assert [each.user for each in smtp_server.received] == ["app"]


async def test_a_server_that_is_not_there(smtp_server: SmtpServer) -> None:
    """It is away."""
    await smtp_server.stop()
    async with sending(smtp_server) as app:
        with pytest.raises(ServerAwayError, match="can't be reached"):
            await app.send()
