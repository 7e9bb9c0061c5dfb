"""Mails of several jobs that become one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from processors.collapse import Event, collapsed, forget
from processors.email.message_id import message_id
from processors.email.outcomes import Kind, Outcomes
from processors.email.payload import EmailPayload
from processors.email.result import EmailResult
from processors.email.summary import summed_up
from processors.email.wanted import URGENT, quiet_for

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from processors.collapse import Collapse
    from processors.email.dependencies import EmailDependencies
    from processors.email.result import Skipped
    from queue_lib.processor import Context

    Send = Callable[[EmailPayload, Context, float], Awaitable[EmailResult]]


async def send_collapsed(
    payload: EmailPayload, collapse: Collapse, dependencies: EmailDependencies, context: Context, send: Send
) -> EmailResult:
    """Send one mail for all events to the same recipients with the same key, unless another job does that.

    Raises SnoozeError until the window is over, and what `send` raises. Then a later run sends for the same events.
    """
    to, key = json.dumps([payload.user_id, *sorted(payload.recipients)]), _key(payload, collapse, context)
    window = max(collapse.window, await quiet_for(payload, context.job.name, dependencies.reach))
    event = Event(context.job.data, payload.cancel_key, context.job.created_at)
    found = await collapsed(context, to, key, window, event)
    if found is not None and found.newest is not None:
        result = await send(_one(found.newest, found.count), context, found.newest.since)
    else:
        reason: tuple[Skipped, Kind] = ("collapsed", Kind.COLLAPSED) if found is None else ("cancelled", Kind.CANCELLED)
        Outcomes(context, payload.template).count(reason[1], payload.recipients)
        told = message_id(payload, context.job, dependencies.domain)
        result = EmailResult(message_id=told, attempts=context.job.attempt, skipped=reason[0])
    if found is None:
        return result.model_copy(update={"collapsed": 0})
    await forget(context, to, key)
    return result.model_copy(update={"collapsed": found.count})


def _key(payload: EmailPayload, collapse: Collapse, context: Context) -> str:
    """What events have in common that become one mail: also what the user's preferences and quiet hours ask for."""
    return json.dumps([collapse.key, payload.type, payload.quiet, context.job.name == URGENT])


def _one(newest: Event, count: int) -> EmailPayload:
    """The mail for so many events, as the newest one says."""
    payload = EmailPayload.model_validate(newest.content)
    if payload.collapse is None or count == 1:
        return payload
    return EmailPayload.model_validate(summed_up(newest.content, payload.collapse, count))
