"""Fakes for unit tests of the e-mail jobs: a scripted mailer, suppressed addresses, and a job that is run again."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from processors.email.dependencies import EmailDependencies
from processors.email.mail import Mail, Receipt, Refusal
from processors.email.payload import EmailPayload
from processors.email.processor import SendEmail
from queue_lib.broker.board import MemoryBoard
from queue_lib.broker.cache import MemoryCache
from queue_lib.errors import BrokerUnavailableError, JobError
from queue_lib.outcome import Dead, Retry
from queue_lib.processor import JobSchema
from queue_lib.retry import decide
from tests.support.fakes import FakeContext, make_job

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from processors.email.delivery_settings import Uncertain
    from processors.email.result import EmailResult
    from queue_lib.job import Job
    from queue_lib.outcome import Snooze
    from queue_lib.processor import Board

NOW = 1_800_000_000.0
ADA, GRACE, ALAN = "ada@gmail.com", "grace@example.com", "alan@outlook.com"


def rejected(address: str, enhanced: str = "5.1.1") -> Refusal:
    """A refusal for good."""
    return Refusal(address, 550, enhanced, "<address>: no such user")


def deferred(address: str) -> Refusal:
    """Greylisting."""
    return Refusal(address, 451, "4.7.1", "<address>: greylisted, try again in 300 s")


class FakeMailer:
    """Plays one step for each mail, and then takes everything. `sent` has the recipients of each message sent."""

    def __init__(self, *script: Sequence[Refusal] | BaseException, after_data: bool = True) -> None:
        """A step is the refusals of single recipients, or an error, which comes after `before_data` or before it."""
        self.script = list(script)
        self.after_data = after_data
        self.asked: list[tuple[str, ...]] = []
        self.sent: list[tuple[str, ...]] = []
        self.trouble: Exception | None = None

    async def send(self, mail: Mail, before_data: Callable[[], Awaitable[None]], _board: Board) -> Receipt:
        """See the port."""
        self.asked.append(mail.recipients)
        step = self.script.pop(0) if self.script else ()
        if isinstance(step, BaseException):
            if self.after_data:
                await before_data()
                self.sent.append(mail.recipients)
            raise step
        refused = {refusal.address for refusal in step}
        accepted = tuple(address for address in mail.recipients if address not in refused)
        if accepted:
            await before_data()
            self.sent.append(accepted)
        return Receipt(
            accepted,
            tuple(refusal for refusal in step if refusal.code >= 500),
            tuple(refusal for refusal in step if refusal.code < 500),
            "250 2.0.0 queued" if accepted else "",
        )

    async def check(self) -> None:
        """See the port."""
        if self.trouble is not None:
            raise self.trouble

    async def close(self) -> None:
        """See the port."""


class FakeSuppressions:
    """The port over a set."""

    def __init__(self, *addresses: str) -> None:
        """These are suppressed."""
        self.rows = dict.fromkeys(addresses, "")
        self.fault: Exception | None = None

    async def among(self, addresses: Sequence[str]) -> set[str]:
        """See the port."""
        return {address for address in addresses if address in self.rows}

    async def add(self, address: str, reason: str) -> None:
        """See the port."""
        if self.fault is not None:
            raise self.fault
        self.rows[address] = reason


class World:
    """A queue with one mail server. Jobs that are put off or retried run again at once."""

    def __init__(
        self, *script: Sequence[Refusal] | BaseException, after_data: bool = True, uncertain: Uncertain = "send"
    ) -> None:
        self.now = NOW
        self.board = MemoryBoard(lambda: self.now)
        self.mailer = FakeMailer(*script, after_data=after_data)
        self.suppressions = FakeSuppressions()
        self.composed: list[str] = []
        self.subjects: list[str | None] = []
        self.dependencies = EmailDependencies(
            mailer=self.mailer,
            compose=self._compose,
            suppressions=self.suppressions,
            cache=MemoryCache(lambda: self.now),
            domain="app.example",
            uncertain=uncertain,
            clock=lambda: self.now,
        )
        self.processor = SendEmail(self.dependencies)

    @asynccontextmanager
    async def _compose(self, payload: EmailPayload, message_id: str) -> AsyncIterator[Mail]:
        self.composed.append(message_id)
        self.subjects.append(payload.subject)
        yield Mail(message_id, "app@app.example", ("everybody@example.com",), b"")

    def mail(self, *to: str, attempts: int = 3, job_id: str = "1", **payload: Any) -> MailJob:
        """A job that sends a mail to these."""
        data = {"to": list(to), "subject": "Hello", "html": "<p>Hello</p>", **payload}
        job = make_job(id=job_id, name="generic", queue="email", data=data, max_attempts=attempts, created_at=self.now)
        return MailJob(self, job)


class MailJob:
    """One job: its runs share notes, and its attempts are counted."""

    def __init__(self, world: World, job: Job) -> None:
        self._world = world
        self.context = FakeContext(job, world.board)

    async def run(self) -> EmailResult | Retry | Snooze | Dead:
        """Run it once; what the error means, if there is one. A death is told to the processor."""
        context = self.context
        payload = JobSchema("generic", "email", EmailPayload).parse(context.job.data)
        assert isinstance(payload, EmailPayload)
        try:
            result = await self._world.processor(payload, context)
        except (JobError, BrokerUnavailableError) as error:
            return await self._decided(error)
        context.kept = {}
        return result

    async def _decided(self, error: JobError | BrokerUnavailableError) -> Retry | Snooze | Dead:
        context = self.context
        outcome = decide(context.job, error)
        if isinstance(outcome, Dead):
            await self._world.processor.on_dead(context.job, outcome.failure)
        if isinstance(outcome, Retry):
            context.job = replace(context.job, attempt=context.job.attempt + 1)
        return outcome

    def counts(self) -> dict[str, int]:
        """How often each result was counted in all runs."""
        found: dict[str, int] = {}
        for _, providers in self.context.counts:
            for kinds in providers.values():
                for kind, count in kinds.items():
                    found[kind] = found.get(kind, 0) + count
        return found
