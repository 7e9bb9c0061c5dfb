"""Hands mails over to one mail server, over the connections of a pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.email.mail import DroppedError
from processors.email.smtp.circuit import Circuit
from processors.email.smtp.connect import Connector
from processors.email.smtp.dialogue import Timeouts
from processors.email.smtp.pool import Pool
from processors.email.smtp.transaction import transact
from processors.email.smtp.verdicts import StaleError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable

    from processors.email.mail import Mail, Receipt
    from processors.email.smtp.server import Server
    from queue_lib.processor import Board


class SmtpMailer:
    """The port `Mailer` over SMTP. It opens no connection before the first mail."""

    def __init__(
        self, server: Server, pool: int, *, timeouts: Timeouts | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        """`pool` is the number of connections. `tls` is what TLS is spoken with; by default the system's certificates.

        Each mail is sent within one attempt of its job, whose timeout must be longer than `timeouts.final`.
        """
        self._circuit = Circuit(server.name)
        self._pool = Pool(Connector(server, timeouts or Timeouts(), tls).open, pool)

    async def send(self, mail: Mail, before_data: Callable[[], Awaitable[None]], board: Board) -> Receipt:
        """Send over a connection of the pool; if the server has ended that meanwhile, over a new one."""
        async with self._pool.slot(), self._circuit.passing(mail.message_id, board):
            async with self._pool.lend() as dialogue:
                is_used = dialogue.mails > 0
                try:
                    return await transact(dialogue, mail, before_data)
                except (StaleError, DroppedError):
                    if not is_used:
                        raise
            async with self._pool.lend(is_new=True) as dialogue:
                return await transact(dialogue, mail, before_data)

    async def check(self) -> None:
        """Raise why the server is left alone, if it is."""
        self._circuit.check()

    async def close(self) -> None:
        """Close all connections, also those in use."""
        self._pool.close()
