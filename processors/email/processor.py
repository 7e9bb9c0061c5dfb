"""`send-email` and its other names: one mail, once, as far as SMTP allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from processors.email.collapsing import send_collapsed
from processors.email.keys import Key
from processors.email.ledger import Ledger
from processors.email.payload import EmailPayload
from processors.email.run import Run
from queue_lib.errors import BrokerUnavailableError, SnoozeError

if TYPE_CHECKING:
    from processors.email.dependencies import EmailDependencies
    from processors.email.result import EmailResult
    from queue_lib.job import Job
    from queue_lib.outcome import Failure
    from queue_lib.processor import Context

OUTAGE_PAUSE = 5.0  # seconds


class SendEmail:
    """Sends one mail to all of its recipients."""

    def __init__(self, dependencies: EmailDependencies) -> None:
        self._dependencies = dependencies

    async def __call__(self, payload: EmailPayload, context: Context, /) -> EmailResult:
        """Run one job. It is dead only if no recipient was accepted, and none may be later."""
        if payload.collapse is not None:
            return await send_collapsed(payload, payload.collapse, self._dependencies, context, self._send)
        return await self._send(payload, context)

    async def _send(self, payload: EmailPayload, context: Context, since: float | None = None) -> EmailResult:
        ledger = await Ledger.open(context)
        return await Run(self._dependencies, payload, context, ledger, since).result()

    async def on_dead(self, job: Job, _: Failure, /) -> None:
        """Let another job with the same idempotency key send the mail, if this one has not."""
        try:
            payload = EmailPayload.model_validate(job.data)
        except ValidationError:
            return
        try:
            await Key(self._dependencies.cache, payload.idempotency_key, job).give_up()
        except BrokerUnavailableError as error:
            raise SnoozeError(str(error), OUTAGE_PAUSE) from error
