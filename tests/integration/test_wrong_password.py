"""Many mails while the mail server refuses our password (research: the table of verdicts, 535)."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from processors.email.processor import SendEmail
from processors.email.result import EmailResult
from processors.email.smtp.mailer import SmtpMailer
from processors.email.smtp.server import Server, Tls
from queue_lib.outcome import Snooze
from tests.support.email_fakes import World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from embedded.smtp_server import SmtpServer

MAILS, CONNECTIONS = 50, 5


@asynccontextmanager
async def worker(world: World, server: SmtpServer, password: str) -> AsyncIterator[None]:
    """The jobs run in a worker that has this password."""
    mailer = SmtpMailer(Server("127.0.0.1", server.port, Tls.NEVER, "app", password), CONNECTIONS)
    world.processor = SendEmail(replace(world.dependencies, mailer=mailer))
    try:
        yield
    finally:
        await mailer.close()


async def test_a_wrong_password_buries_nothing(smtp_server: SmtpServer) -> None:
    """Each mail waits without an attempt, and is sent once when the password is right. The server is asked seldom."""
    smtp_server.user, smtp_server.password = "app", "right"
    world = World()
    jobs = [world.mail(f"{n}@example.com", job_id=str(n), idempotencyKey=str(n)) for n in range(MAILS)]
    async with worker(world, smtp_server, "wrong"):
        refused = [await asyncio.gather(*(job.run() for job in jobs)) for _ in range(2)]
    asked = smtp_server.steps["AUTH"]
    world.now += 3600  # what the workers have told each other is forgotten
    async with worker(world, smtp_server, "right"):
        sent = await asyncio.gather(*(job.run() for job in jobs))

    assert all(isinstance(outcome, Snooze) and outcome.delay <= 300 for run in refused for outcome in run)
    assert 1 <= asked <= CONNECTIONS
    assert all(isinstance(result, EmailResult) and result.attempts == 1 for result in sent)
    taken = Counter(mail.recipients for mail in smtp_server.received)
    assert {(f"{n}@example.com",): 1 for n in range(MAILS)} == taken
