"""The mailer's connections: how many, how long each is used, and how they are encrypted."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

import pytest

from embedded.smtp_server import Answer, SmtpServer
from processors.email.mail import Mail, MailRefusedError, SenderRefusedError, ServerAwayError
from processors.email.smtp import pool as pools
from processors.email.smtp.mailer import SmtpMailer
from processors.email.smtp.server import Server, Tls
from queue_lib.broker.board import MemoryBoard
from tests.support.polling import until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from processors.email.mail import Receipt

SEVEN_MEGABYTES = 7 * 1024 * 1024


class App:
    """Makes mailers, and sends mails."""

    def __init__(self) -> None:
        self.mailers: list[SmtpMailer] = []

    def mailer(
        self, server: SmtpServer, pool: int = 5, how: Tls = Tls.NEVER, trusts: ssl.SSLContext | None = None
    ) -> SmtpMailer:
        """A mailer to this server."""
        named = Server("127.0.0.1", server.port, how, server.user, server.password)
        self.mailers.append(SmtpMailer(named, pool, tls=trusts))
        return self.mailers[-1]

    async def send(self, mailer: SmtpMailer, content: bytes = b"Subject: a\r\n\r\nb\r\n") -> Receipt:
        """A mail to Ann."""
        mail = Mail("<1@example.com>", "app@example.com", ("ann@example.com",), content)
        return await mailer.send(mail, self._note, MemoryBoard())

    async def _note(self) -> None:
        pass


@pytest.fixture
async def app() -> object:
    """Its mailers are closed at the end."""
    app = App()
    yield app
    for mailer in app.mailers:
        await mailer.close()


async def test_so_many_and_no_more(app: App, smtp_server: SmtpServer) -> None:
    """Mails wait for a free connection, and each connection brings many."""
    mailer = app.mailer(smtp_server, pool=3)
    await asyncio.gather(*(app.send(mailer) for _ in range(30)))
    assert (len(smtp_server.received), smtp_server.peak, smtp_server.connections) == (30, 3, 3)


async def test_a_connection_ends_after_its_mails(
    app: App, smtp_server: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the last of its mails it is closed with QUIT."""
    monkeypatch.setattr(pools, "MOST_MAILS", 2)
    mailer = app.mailer(smtp_server)
    for _ in range(5):
        await app.send(mailer)
    assert [mail.connection for mail in smtp_server.received] == [1, 1, 2, 2, 3]
    await until(lambda: smtp_server.open == 1)
    assert smtp_server.steps["QUIT"] == 2


@pytest.mark.parametrize(("bound", "connections"), [("LIFETIME", 2), ("IDLE", 2), ("ASK_AFTER", 1)])
async def test_how_long_it_is_kept(
    app: App, smtp_server: SmtpServer, monkeypatch: pytest.MonkeyPatch, bound: str, connections: int
) -> None:
    """It is closed at the end of its life, and when it was idle for long; before that it is asked whether it lives."""
    monkeypatch.setattr(pools, bound, 0.0)
    mailer = app.mailer(smtp_server)
    await app.send(mailer)
    await asyncio.sleep(0.01)
    await app.send(mailer)
    assert smtp_server.connections == connections
    assert smtp_server.steps["NOOP"] == (1 if bound == "ASK_AFTER" else 0)


async def _closed(server: SmtpServer) -> None:
    for each in list(server.sessions):
        each.abort()
    await asyncio.sleep(0.05)


async def _told_to_go(server: SmtpServer) -> None:
    server.answer_once("MAIL", "421 4.4.2 session maximum lifetime exceeded")


async def _dropped(server: SmtpServer) -> None:
    server.answer_once("MAIL", Answer(drop=True))


async def _dead(server: SmtpServer) -> None:
    server.answer_once("NOOP", Answer(drop=True))


@pytest.mark.parametrize("ends", [_closed, _told_to_go, _dropped, _dead])
async def test_a_connection_that_the_server_has_ended(
    app: App, smtp_server: SmtpServer, monkeypatch: pytest.MonkeyPatch, ends: Callable[[SmtpServer], object]
) -> None:
    """The mail goes over a new one at once: nothing of it was sent."""
    monkeypatch.setattr(pools, "ASK_AFTER", 0.0 if ends is _dead else 10.0)
    mailer = app.mailer(smtp_server)
    await app.send(mailer)
    await ends(smtp_server)  # type: ignore[misc]
    await app.send(mailer)
    assert [mail.connection for mail in smtp_server.received] == [1, 2]
    await mailer.check()


async def test_a_server_that_takes_few_mails_for_a_connection(app: App, smtp_server: SmtpServer) -> None:
    """It closes after three, as SES did after ten: no mail is lost, none is sent twice, and nobody rests."""
    smtp_server.per_connection = 3
    mailer = app.mailer(smtp_server, pool=2)
    for _ in range(5):
        await asyncio.gather(*(app.send(mailer) for _ in range(4)))
    assert len(smtp_server.received) == 20
    await mailer.check()


async def test_a_cancelled_mail_frees_its_connection(app: App, smtp_server: SmtpServer) -> None:
    """The connection is closed, and the next mail has another one."""
    smtp_server.answer_once("DATA", Answer(hang=True))
    mailer = app.mailer(smtp_server, pool=1)
    sending = asyncio.create_task(app.send(mailer))
    await until(lambda: smtp_server.steps["DATA"])
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    await app.send(mailer)
    assert [mail.connection for mail in smtp_server.received] == [2]


async def test_a_large_mail(app: App, smtp_server: SmtpServer) -> None:
    """Seven megabytes arrive as they are; a server that takes less refuses before they are sent."""
    line = b"0123456789" * 7 + b"\r\n"
    content = b"Subject: a\r\n\r\n" + line * (SEVEN_MEGABYTES // len(line))
    await app.send(app.mailer(smtp_server), content)
    assert smtp_server.received[0].content == content
    small = SmtpServer(max_size=1000)
    await small.start()
    with pytest.raises(MailRefusedError, match="552"):
        await app.send(app.mailer(small), content)
    assert small.steps["END"] == 0
    await small.stop()


async def test_a_connection_is_encrypted(
    app: App, smtp_tls: ssl.SSLContext, smtp_certificate: tuple[Path, Path]
) -> None:
    """By STARTTLS where it is offered, or from the start; then we sign in."""
    trusts = ssl.create_default_context(cafile=smtp_certificate[0])
    for how in (Tls.OFFERED, Tls.REQUIRED, Tls.IMPLICIT):
        server = SmtpServer(user="app", password="päss", tls=smtp_tls, is_implicit=how is Tls.IMPLICIT)
        await server.start()
        await app.send(app.mailer(server, how=how, trusts=trusts))
        assert [(mail.is_encrypted, mail.user) for mail in server.received] == [(True, "app")], how
        await app.mailers[-1].close()
        await server.stop()


@pytest.mark.parametrize("how", [Tls.OFFERED, Tls.REQUIRED, Tls.IMPLICIT], ids=lambda how: how.name)
async def test_a_certificate_that_nobody_signed(app: App, smtp_tls: ssl.SSLContext, how: Tls) -> None:
    """Nothing is sent, and the server counts as away."""
    server = SmtpServer(tls=smtp_tls, is_implicit=how is Tls.IMPLICIT)
    await server.start()
    with pytest.raises(ServerAwayError, match="its certificate is not valid: self-signed certificate"):
        await app.send(app.mailer(server, how=how))
    assert server.steps["MAIL"] == 0
    await server.stop()


async def test_tls_that_the_server_does_not_have(app: App, smtp_server: SmtpServer) -> None:
    """Where TLS is required we refuse to go on; TLS from the start at a port without it says which setting is wrong."""
    with pytest.raises(SenderRefusedError, match="offers no TLS"):
        await app.send(app.mailer(smtp_server, how=Tls.REQUIRED))
    with pytest.raises(ServerAwayError, match="leave out SMTP_SECURE"):
        await app.send(app.mailer(smtp_server, how=Tls.IMPLICIT))
    assert smtp_server.received == []


async def test_a_user_where_nobody_can_sign_in(app: App, smtp_server: SmtpServer) -> None:
    """A server that offers no way to sign in refuses us, and is not asked to take a mail."""
    smtp_server.answer("EHLO", "250 mail.example.com")
    smtp_server.user, smtp_server.password = "app", "secret"
    with pytest.raises(SenderRefusedError, match="lets nobody sign in"):
        await app.send(app.mailer(smtp_server))
    assert smtp_server.steps["MAIL"] == 0
