"""One run of a mail job: who gets the mail, what the server said, and how the job ends."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from processors.email.bounces import record_bounces
from processors.email.keys import Key
from processors.email.mail import (
    DroppedError,
    MailDeferredError,
    MailRefusedError,
    SenderRefusedError,
    ServerAwayError,
    UncertainError,
)
from processors.email.message_id import message_id
from processors.email.outcomes import Kind, Outcomes, as_refusal, line
from processors.email.result import EmailResult, Rejection
from processors.email.wanted import is_wanted
from processors.outage import outages_put_off
from queue_lib.errors import PermanentError, TransientError

if TYPE_CHECKING:
    from processors.email.dependencies import EmailDependencies
    from processors.email.ledger import Ledger
    from processors.email.mail import Receipt
    from processors.email.payload import EmailPayload
    from processors.email.result import Skipped
    from queue_lib.processor import Context

DAY = 24 * 3600.0  # seconds for which a mail waits while the server refuses us, or drops its connections
LONGEST_SNOOZE = 300.0  # seconds; waits for a server that drops a mail's connections double up to this
# Seconds until recipients are tried again who were put off; five times as long after each attempt. Greylisting takes
# five minutes at most servers.
PUT_OFF, LONGEST = 60.0, 3600.0
UNSENT: dict[type[Exception], Kind] = {
    ServerAwayError: Kind.AWAY,
    SenderRefusedError: Kind.REFUSED,
    MailRefusedError: Kind.FAILED,
    MailDeferredError: Kind.DEFERRED,
}
TOO_LATE: dict[Kind, Skipped] = {Kind.EXPIRED: "expired", Kind.CANCELLED: "cancelled"}
LOST = "the connection broke before the server answered: it may have taken the mail"


class _TooLateError(Exception):
    """The mail must not be sent any more: `kind` is one of TOO_LATE."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(kind)
        self.kind = kind


class Run:
    """Create it with the notes of earlier runs. `since` is when the app added the mail, if that was another job."""

    def __init__(
        self,
        dependencies: EmailDependencies,
        payload: EmailPayload,
        context: Context,
        ledger: Ledger,
        since: float | None = None,
    ) -> None:
        self._dependencies, self._payload, self._context, self._ledger = dependencies, payload, context, ledger
        self._since = since
        self._key = Key(dependencies.cache, payload.idempotency_key, context.job)
        self._outcomes = Outcomes(context, payload.template)
        self._message_id = message_id(payload, context.job, dependencies.domain)
        self._recipients = payload.recipients
        self._has_begun = False

    async def result(self) -> EmailResult:
        """Send what is not sent yet. Raises SnoozeError until quiet hours end, before it claims its key."""
        if not await self._is_wanted():
            await self._key.give_up()
            return self._skipped("muted", Kind.MUTED)
        if await self._key.is_sent():
            return self._skipped("already sent", Kind.ALREADY_SENT)
        await self._record_bounces()  # of an earlier run
        if not self._ledger.has_ended:
            try:
                await self._check_time()
                await self._send_or_end()
            except _TooLateError as error:
                await self._key.give_up()
                return self._skipped(TOO_LATE[error.kind], error.kind)
            await self._record_bounces()
        return await self._finished()

    async def _is_wanted(self) -> bool:
        """Whether the user wants it now, or it has begun."""
        has_begun = self._ledger.has_ended or bool(self._ledger.accepted)
        return has_begun or await is_wanted(self._payload, self._context.job.name, self._dependencies.reach)

    async def _check_time(self) -> None:
        """Raise _TooLateError if the mail has expired, or was taken back."""
        end = self._payload.expires_at
        if end is not None and end <= self._dependencies.clock():
            raise _TooLateError(Kind.EXPIRED)
        if await self._context.is_cancelled(self._payload.cancel_key, self._since):
            raise _TooLateError(Kind.CANCELLED)

    async def _send_or_end(self) -> None:
        """Send; an error that would end the job ends it well if somebody has the mail."""
        try:
            if recipients := await self._willing():
                await self._send(recipients)
            else:
                await self._ledger.end()
        except (PermanentError, TransientError) as error:
            is_end = isinstance(error, PermanentError) or self._context.job.is_last_attempt
            if not is_end or not self._ledger.accepted:
                raise
            rest = [as_refusal(address, error) for address in self._ledger.pending(self._recipients)]
            await self._ledger.end(rest)

    async def _willing(self) -> tuple[str, ...]:
        """The recipients that have no end yet and are not suppressed."""
        pending = self._ledger.pending(self._recipients)
        with outages_put_off():
            found = await self._dependencies.suppressions.among([address.lower() for address in pending])
        suppressed = [address for address in pending if address.lower() in found]
        self._outcomes.count(Kind.SUPPRESSED, suppressed)
        self._ledger.suppress(suppressed)
        return self._ledger.pending(self._recipients)

    async def _send(self, recipients: tuple[str, ...]) -> None:
        """Send to these, and note what the server says. Raises as the mailer does."""
        await self._check_uncertain(recipients)
        try:
            receipt = await self._hand_over(recipients)
        except UncertainError:
            await self._check_uncertain(recipients)
            self._outcomes.count(Kind.UNCERTAIN, recipients)
            raise
        except tuple(UNSENT) as error:
            kinds = (kind for unsent, kind in UNSENT.items() if isinstance(error, unsent))
            self._outcomes.count(next(kinds), recipients)
            await self._nothing_sent(error)
            raise
        await self._settle(receipt)

    async def _hand_over(self, recipients: tuple[str, ...]) -> Receipt:
        dependencies = self._dependencies
        await dependencies.mailer.check()  # before anything is composed in vain
        async with dependencies.compose(self._payload, self._message_id) as mail:
            return await dependencies.mailer.send(
                replace(mail, recipients=recipients), self._begin, self._context.board
            )

    async def _begin(self) -> None:
        """The server has accepted a recipient, and gets the message next, unless too much time has gone by."""
        await self._check_time()
        await self._key.data()
        await self._ledger.begin()
        self._has_begun = True

    async def _nothing_sent(self, error: Exception) -> None:
        """Note it. Raises PermanentError instead of the error if the server has done so for a day.

        Raises SnoozeError while bounces can't be recorded.
        """
        if self._has_begun:
            await self._ledger.take_back()
            if not self._ledger.accepted:
                await self._key.open()
        if isinstance(error, MailDeferredError):
            error.at_least = self._patience()
        if isinstance(error, MailDeferredError | MailRefusedError):
            await record_bounces(self._dependencies.suppressions, error.rejected)
        if isinstance(error, SenderRefusedError | DroppedError):
            await self._wait_a_day(error)

    async def _check_uncertain(self, recipients: tuple[str, ...]) -> None:
        """Raise PermanentError if the server may have the mail and must not get it twice."""
        if self._ledger.is_uncertain and self._dependencies.uncertain == "dead":
            self._outcomes.count(Kind.UNCERTAIN, recipients)
            await self._ledger.take_back()  # a replay sends it: an operator has decided
            msg = f"{LOST}; EMAIL_UNCERTAIN says not to send it again"
            raise PermanentError(msg)

    async def _wait_a_day(self, error: SenderRefusedError | DroppedError) -> None:
        """Raise PermanentError if the day is over."""
        seconds = await self._ledger.refused_for(self._dependencies.clock())
        if seconds >= DAY:
            await self._ledger.forget_refusals()
            msg = f"{error}; it has done so for a day"
            raise PermanentError(msg) from error
        if isinstance(error, DroppedError):
            error.delay = max(error.delay, min(seconds, LONGEST_SNOOZE))

    async def _settle(self, receipt: Receipt) -> None:
        """Note what the server said. Raises TransientError if it put off a recipient who has another attempt."""
        has_more = bool(receipt.deferred) and not self._context.job.is_last_attempt
        final = receipt.rejected if has_more else (*receipt.rejected, *receipt.deferred)
        self._outcomes.count(Kind.SENT, receipt.accepted)
        self._outcomes.refused(Kind.REJECTED, receipt.rejected)
        self._outcomes.refused(Kind.DEFERRED, receipt.deferred)
        await self._ledger.settle(receipt, final, is_end=not has_more)
        if has_more:
            await self._record_bounces()
            msg = f"{len(receipt.deferred)} of {len(self._recipients)} recipients were put off: "
            raise TransientError(msg + line(receipt.deferred[0]), self._patience())

    def _patience(self) -> float:
        """Seconds until the next attempt, at least."""
        return min(PUT_OFF * 5.0 ** min(self._context.job.attempt - 1, 10), LONGEST)

    async def _record_bounces(self) -> None:
        await record_bounces(self._dependencies.suppressions, self._ledger.rejected)

    async def _finished(self) -> EmailResult:
        ledger = self._ledger
        if ledger.accepted:
            await self._key.sent()
            return self._told(None)
        if not ledger.rejected:
            await self._key.give_up()
            return self._told("suppressed")
        await ledger.clear()  # a replay tries again
        msg = f"no recipient was accepted: {line(ledger.rejected[0])}"
        raise PermanentError(msg)

    def _skipped(self, reason: Skipped, kind: Kind) -> EmailResult:
        self._outcomes.count(kind, self._ledger.pending(self._recipients))
        return self._told(reason)

    def _told(self, skipped: Skipped | None) -> EmailResult:
        ledger = self._ledger
        order = {address: place for place, address in enumerate(self._recipients)}
        return EmailResult(
            message_id=self._message_id,
            accepted=tuple(sorted(ledger.accepted, key=lambda address: order.get(address, 0))),
            rejected=tuple(
                Rejection(address=each.address, code=each.code, enhanced=each.enhanced, message=each.message)
                for each in ledger.rejected
            ),
            suppressed=tuple(ledger.suppressed),
            response=ledger.response,
            attempts=self._context.job.attempt,
            skipped=skipped,
        )
