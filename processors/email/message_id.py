"""The Message-ID: the same in each attempt of a mail, so that a mailbox can tell a second copy."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from processors.email.payload import EmailPayload
    from queue_lib.job import Job


def message_id(payload: EmailPayload, job: Job, domain: str) -> str:
    """`<32 hex digits@domain>`, made of the idempotency key, or else of the job.

    The job's time is in it: BullMQ counts ids anew in an empty Redis, and mailboxes drop a second mail of one id.
    """
    key = payload.idempotency_key
    text = f"key:{key}" if key else f"{job.queue}:{job.wire}:{job.id}:{round(job.created_at * 1000)}"
    return f"<{hashlib.sha256(text.encode()).hexdigest()[:32]}@{domain}>"
