"""Notifications of several jobs that become one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from processors.collapse import Event, collapsed, forget
from processors.notifications.payload import NotificationPayload, NotificationResult, summed_up

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from processors.collapse import Collapse
    from queue_lib.processor import Context

    Tell = Callable[[NotificationPayload, Context, float], Awaitable[NotificationResult]]


async def tell_collapsed(
    payload: NotificationPayload, collapse: Collapse, context: Context, tell: Tell
) -> NotificationResult:
    """Tell the user once of all events with the same key, unless another job does that.

    Raises SnoozeError until the window is over, and what `tell` raises. Then a later run tells of the same events.
    """
    user, key = payload.users[0], _key(payload, collapse)
    event = Event(context.job.data, payload.cancel_key, context.job.created_at)
    found = await collapsed(context, user, key, collapse.window, event)
    if found is None:
        return NotificationResult(collapsed=0)
    result = NotificationResult(cancelled=True)
    if found.newest is not None:
        result = await tell(_one(found.newest, found.count), context, found.newest.since)
    await forget(context, user, key)
    return result.model_copy(update={"collapsed": found.count})


def _key(payload: NotificationPayload, collapse: Collapse) -> str:
    """What events have in common that become one notification: also how, and where, the user is told."""
    return json.dumps([collapse.key, payload.type, sorted(set(payload.channels)), payload.email])


def _one(newest: Event, count: int) -> NotificationPayload:
    """The notification for so many events, as the newest one says."""
    payload = NotificationPayload.model_validate(newest.content)
    if payload.collapse is None or count == 1:
        return payload
    return NotificationPayload.model_validate(summed_up(newest.content, payload.collapse, count))
