"""A mail server on this machine. It keeps what it is sent, and gives the answers that it is told to give."""

from __future__ import annotations

import asyncio
import email
import email.policy
import hmac
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable
    from email.message import EmailMessage

HOSTNAME = "mail.pushmill.test"
TAKEN = "250 2.0.0 taken"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server says at a step, after `delay` seconds; without `text` what it would say anyway.

    With `drop` the connection ends, after `text` if there is one; a text with 421 ends it, too. With `hang` the server
    says nothing until it stops.
    """

    text: str = ""
    delay: float = 0.0
    drop: bool = False
    hang: bool = False

    @property
    def is_last(self) -> bool:
        """Whether the connection ends with it."""
        return self.drop or self.hang or self.text.startswith("421")


@dataclass(frozen=True, slots=True)
class Received:
    """A mail that the server has taken, with its envelope, and how it came."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes = field(repr=False)
    user: str | None
    is_encrypted: bool
    connection: int

    @property
    def message(self) -> EmailMessage:
        """The mail, parsed."""
        return email.message_from_bytes(self.content, policy=email.policy.default)


class SmtpServer:
    """The server. It offers STARTTLS if it has a `tls` context; with `is_implicit` it speaks TLS from the start.

    With `user` a client must sign in, with `pipelining` commands are taken in groups, and `per_connection` is how many
    mails a connection may bring before it is closed. Steps are CONNECT, EHLO, STARTTLS, AUTH, MAIL, RCPT,
    `RCPT <address>`, DATA, END (the final dot), RSET, NOOP and QUIT.

    `received` has what was taken, also if its answer was never sent. `steps` counts all steps; `connections` counts all
    connections, `open` those of now, and `peak` is their maximum.
    """

    def __init__(
        self,
        *,
        user: str = "",
        password: str = "",
        tls: ssl.SSLContext | None = None,
        is_implicit: bool = False,
        max_size: int = 32 * 1024 * 1024,
    ) -> None:
        """`max_size`: bytes of a mail."""
        self.user, self.password, self.max_size = user, password, max_size
        self.starttls = None if is_implicit else tls
        self.is_implicit = is_implicit
        self._context = tls if is_implicit else None
        self._always: dict[str, Answer] = {}
        self._once: dict[str, deque[Answer]] = defaultdict(deque)
        self._server: asyncio.Server | None = None
        self.sessions: set[Conversation] = set()
        self.stopping = asyncio.Event()
        self.port = 0
        self.per_connection = 0
        self.pipelining = True
        self.received: list[Received] = []
        self.steps: Counter[str] = Counter()
        self.connections = self.open = self.peak = 0

    async def start(self, port: int = 0) -> None:
        """Listen on this port of 127.0.0.1; 0 is a free one."""
        self.stopping.clear()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Conversation(self), "127.0.0.1", port, ssl=self._context)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close the port and all connections. The server may be started again."""
        self.stopping.set()
        if self._server is not None:
            self._server.close()
        for session in list(self.sessions):
            session.abort()
        await asyncio.sleep(0)

    def answer(self, step: str, answer: Answer | str = "") -> None:
        """Answer this step so from now on; with "" as usual."""
        self._always[step] = _answer(answer)

    def answer_once(self, step: str, *answers: Answer | str) -> None:
        """Answer the next such steps so, one each, and later ones as before."""
        self._once[step].extend(map(_answer, answers))

    def next_answer(self, step: str, address: str = "") -> Answer:
        """What to answer now; this counts the step."""
        self.steps[step] += 1
        for name in (f"{step} {address}", step):
            if once := self._once.get(name):
                return once.popleft()
            if name in self._always:
                return self._always[name]
        return Answer()


def _answer(answer: Answer | str) -> Answer:
    return Answer(answer) if isinstance(answer, str) else answer


class Conversation(SMTP):
    """A connection."""

    def __init__(self, server: SmtpServer) -> None:
        super().__init__(
            self,
            hostname=HOSTNAME,
            ident="ESMTP",
            tls_context=server.starttls,
            data_size_limit=server.max_size,
            enable_SMTPUTF8=True,
            auth_require_tls=False,
            authenticator=self._sign_in,
            loop=asyncio.get_running_loop(),
        )
        self._auth_required = bool(server.user)  # as an argument it warns of connections without TLS
        self._smtp_methods = {name: partial(self._step, name, usual) for name, usual in self._smtp_methods.items()}
        self._server = server
        self._user: str | None = None
        self._mails = self._number = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it; after STARTTLS it comes a second time."""
        server = self._server
        if self not in server.sessions:
            server.sessions.add(self)
            server.connections += 1
            server.open += 1
            server.peak = max(server.peak, server.open)
            self._number = server.connections
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Count it."""
        if self in self._server.sessions:
            self._server.sessions.discard(self)
            self._server.open -= 1
        super().connection_lost(error)

    def abort(self) -> None:
        """End the connection at once."""
        for transport in (self.transport, self._original_transport):
            if isinstance(transport, asyncio.Transport):
                transport.abort()

    async def _handle_client(self) -> None:
        if not await self._gave(self._server.next_answer("CONNECT")):
            await super()._handle_client()

    async def _step(self, name: str, usual: Callable[[str | None], Awaitable[None]], argument: str | None) -> None:
        address = (argument or "").partition("<")[2].rpartition(">")[0] if name == "RCPT" else ""
        if not await self._gave(self._server.next_answer(name, address)):
            await usual(argument)

    async def _gave(self, answer: Answer) -> bool:
        """Wait and answer as told. False if the usual answer is to be given."""
        await asyncio.sleep(answer.delay)
        if answer.hang:
            await self._server.stopping.wait()
        if answer.text:
            await self.push(answer.text)
        if answer.is_last:
            await self._end()
        return bool(answer.text)

    async def _end(self) -> None:
        if self.transport is not None:
            self.transport.close()
        await self.loop.create_future()  # connection_lost cancels this

    def _sign_in(
        self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, given: LoginPassword
    ) -> AuthResult:
        wanted = LoginPassword(self._server.user.encode(), self._server.password.encode())
        is_right = all(map(hmac.compare_digest, wanted, given))
        self._user = given.login.decode() if is_right else None
        return AuthResult(success=is_right, handled=False)

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name and arguments, as below
        self, _server: Any, session: Any, _envelope: Any, hostname: str, lines: list[str]
    ) -> list[str]:
        """Offer PIPELINING: commands are read one after the other anyway."""
        session.host_name = hostname
        return [*lines[:-1], "250-PIPELINING", lines[-1]] if self._server.pipelining else lines

    async def handle_DATA(self, _server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """Take the mail, and answer the final dot."""
        server = self._server
        answer = server.next_answer("END")
        is_taken = not answer.text.startswith(("4", "5"))
        if is_taken:
            is_encrypted = session.ssl is not None or server.is_implicit
            sender, recipients, content = envelope.mail_from, tuple(envelope.rcpt_tos), envelope.content
            server.received.append(Received(sender, recipients, content, self._user, is_encrypted, self._number))
            self._mails += 1
        if is_taken and self._mails == server.per_connection:
            answer = replace(answer, text=answer.text or TAKEN, drop=True)
        if answer.is_last:
            await self._gave(answer)
        await asyncio.sleep(answer.delay)
        return answer.text or TAKEN
