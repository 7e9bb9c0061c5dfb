"""A team's own jobs, with models that are called as types of the package are."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from queue_lib.jobs import Context, Job, Model, Queue

Format = Annotated[Literal["letter", "a4"], Field(title="Format")]


class Invoice(Model):
    """An invoice."""

    model_config = ConfigDict(title="SendInvoice")

    invoice_id: str
    format: Format = "a4"


class PushResult(Model):
    """What became of it."""

    copies: int


class SendInvoice(Job[Invoice]):
    """Send it."""

    name = "send-invoice"
    queue = "invoices"
    result = PushResult

    async def handle(self, payload: Invoice, context: Context) -> PushResult:
        """Send it."""
        return PushResult(copies=len(payload.invoice_id))


QUEUES = (Queue(name="invoices"),)
JOBS = (SendInvoice,)
