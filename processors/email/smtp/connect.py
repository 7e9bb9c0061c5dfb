"""Opens connections: aiosmtplib connects, encrypts and signs in."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING

import aiosmtplib

from processors.email.mail import SenderRefusedError, ServerAwayError
from processors.email.smtp.dialogue import Dialogue, Reply, Timeouts
from processors.email.smtp.server import Tls
from processors.email.smtp.verdicts import FIRST_REST, REFUSED, Step, refusal_of_us, without_addresses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from processors.email.smtp.server import Server

_STARTTLS = {Tls.IMPLICIT: False, Tls.REQUIRED: True, Tls.OFFERED: None, Tls.NEVER: False}


class Connector:
    """Opens connections to one server. `context` is what TLS is spoken with; by default the system's certificates."""

    def __init__(self, server: Server, timeouts: Timeouts, context: ssl.SSLContext | None = None) -> None:
        self._server, self._timeouts, self._context = server, timeouts, context

    async def open(self) -> Dialogue:
        """A connection that is signed in. Raises ServerAwayError and SenderRefusedError."""
        if self._context is None and self._server.tls is not Tls.NEVER:
            self._context = await asyncio.to_thread(ssl.create_default_context)
        client = self._client()
        try:
            async with asyncio.timeout(2 * self._timeouts.reply):
                await self._prepare(client)
            return self._taken_over(client)
        except BaseException as error:
            client.close()
            if isinstance(error, TimeoutError):
                reason = "it did not let us begin in time"
                raise _away(reason) from error
            raise

    def _taken_over(self, client: aiosmtplib.SMTP) -> Dialogue:
        transport = client.transport
        if not isinstance(transport, asyncio.Transport):
            reason = "it closed the connection"
            raise _away(reason)
        return Dialogue(transport, dict(client.esmtp_extensions), self._timeouts)

    def _client(self) -> aiosmtplib.SMTP:
        return aiosmtplib.SMTP(
            hostname=self._server.host,
            port=self._server.port,
            local_hostname=own_name(),
            timeout=self._timeouts.reply,
            use_tls=self._server.tls is Tls.IMPLICIT,
            start_tls=_STARTTLS[self._server.tls],
            tls_context=self._context,
        )

    async def _prepare(self, client: aiosmtplib.SMTP) -> None:
        with _told(Step.CONNECT):
            await client.connect()
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()
        if self._server.user:
            with _told(Step.AUTH):
                await self._sign_in(client)

    async def _sign_in(self, client: aiosmtplib.SMTP) -> None:
        """One way only: a server may lock a user out whose password is wrong several times."""
        ways = {"plain": client.auth_plain, "login": client.auth_login, "cram-md5": client.auth_crammd5}
        for name, way in ways.items():
            if name in client.server_auth_methods:
                await way(self._server.user, self._server.password)
                return
        msg = "the mail server lets nobody sign in here: check SMTP_HOST and SMTP_PORT, or leave out SMTP_USER"
        raise SenderRefusedError(msg, REFUSED)


@contextmanager
def _told(step: Step) -> Iterator[None]:
    """Turn aiosmtplib's errors into ours."""
    try:
        yield
    except aiosmtplib.SMTPResponseException as error:
        reply = Reply.of(error.code, error.message.split("\n"))
        raise refusal_of_us(step, reply) or _away(str(reply)) from error
    except ssl.SSLError as error:
        raise _away(_tls_fault(error)) from error
    except (OSError, aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError) as error:
        cause = error.__cause__
        raise _away(_tls_fault(cause) if isinstance(cause, ssl.SSLError) else str(error)) from error
    except aiosmtplib.SMTPException as error:  # STARTTLS is required, and not offered
        msg = f"the mail server offers no TLS, and nothing is sent without: {error.message}"
        raise SenderRefusedError(msg, REFUSED) from error


def _away(reason: str) -> ServerAwayError:
    return ServerAwayError(f"the mail server can't be reached: {without_addresses(reason)}", FIRST_REST)


def _tls_fault(error: ssl.SSLError) -> str:
    if error.reason == "WRONG_VERSION_NUMBER":
        return "it speaks no TLS from the start on this port: leave out SMTP_SECURE, or use port 465"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid: {error.verify_message}"
    return f"TLS failed: {error.reason or error}"


def own_name() -> str:
    """What we call ourselves in EHLO: this machine's name if it is a full one, as Nodemailer does (RFC 5321, 4.1.3)."""
    name = socket.gethostname()
    return name if "." in name.strip(".") and name.isascii() else "[127.0.0.1]"
