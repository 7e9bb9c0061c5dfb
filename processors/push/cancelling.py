"""Whether a message was cancelled since the app added its job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.push.payload import CollapsedPush, FollowUpPayload
from processors.push.result import PushResult

if TYPE_CHECKING:
    from processors.push.payload import Push
    from queue_lib.processor import Context

CANCELLED = PushResult(cancelled=True)


async def is_cancelled(push: Push, context: Context) -> bool:
    """Ask Redis, if the message has a cancel key. Raises BrokerUnavailableError."""
    return await context.is_cancelled(push.options.cancel_key, added_at(push, context))


def added_at(push: Push, context: Context) -> float:
    """When the app added the job of this message, in seconds since the epoch."""
    since = push.since if isinstance(push, FollowUpPayload | CollapsedPush) else None
    return context.job.created_at if since is None else since
