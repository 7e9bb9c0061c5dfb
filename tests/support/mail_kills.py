"""Workers that are killed (SIGKILL) at a chosen step of sending a mail, one mail and one kill a round."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING

from embedded.smtp_server import SmtpServer
from tests.support.worker_process import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from embedded.smtp_server import Answer
    from tests.support.wires import Mess

# As the server sees them; the last one comes some milliseconds after its answer to the final dot.
STEPS = ("CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "END", "ANSWERED")
TAKEN = ("END", "ANSWERED")  # the server has the mail by then
AFTER = 0.006  # seconds after the answer, at most
QUEUE = "email"


class WatchedServer(SmtpServer):
    """A mail server that calls `at_step` at one step, once."""

    def __init__(self) -> None:
        super().__init__()
        self.per_connection = 1  # so that each mail has all steps
        self.step = ""
        self.at_step: Callable[[], None] = lambda: None

    def next_answer(self, step: str, address: str = "") -> Answer:
        """Call it, and answer as usual."""
        if step == self.step:
            self.step = ""
            self.at_step()
        elif self.step == "ANSWERED" and step == "END":
            self.step = ""
            asyncio.get_running_loop().call_later(random.uniform(0, AFTER), self.at_step)
        return super().next_answer(step, address)

    def copies(self, address: str) -> int:
        """How many mails this address has."""
        return sum(address in mail.recipients for mail in self.received)


class Kills:
    """Rounds of one test. `killed` has, by recipient, the step at which its mail's worker was killed."""

    def __init__(self, mess: Mess, server: WatchedServer, **env: str) -> None:
        """Workers have more of `env`."""
        self._mess, self._server = mess, server
        self._env = {
            "REDIS_URL": mess.url,
            "QUEUES": QUEUE,
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(server.port),
            "MAIL_FROM": "app@app.example",
            "EMAIL_RATE_MAX": "0",
            "LEASE_DURATION": "2",
            **env,
        }
        self.killed: dict[str, str] = {}

    def worker(self) -> WorkerProcess:
        """A worker that is not killed."""
        return WorkerProcess(self._env, self._mess.folder)

    async def run(self, steps: Sequence[str]) -> None:
        """A round for each step, on either wire in turn; then a worker that ends all jobs."""
        for step in steps:
            async with self.worker() as worker:
                await self._all_ended(len(self.killed))
                self._server.step, self._server.at_step = step, worker.process.kill
                await self._add(f"{len(self.killed)}@example.com")
                self.killed[f"{len(self.killed)}@example.com"] = step
                await worker.wait(60)
        async with self.worker():
            await self._all_ended(len(self.killed))

    async def _add(self, address: str) -> None:
        mail = {"to": address, "subject": "Hello", "text": "Hello"}
        if len(self.killed) % 2:
            self._mess.rq("generic", mail, queue=QUEUE)
        else:
            await self._mess.bullmq("generic", mail, queue=QUEUE)

    async def _all_ended(self, count: int) -> None:
        async def ended() -> bool:
            counts = await self._mess.counts(QUEUE)
            return sum(number for name, number in counts.items() if name != "letters") >= count

        while not await ended():
            await asyncio.sleep(0.05)
