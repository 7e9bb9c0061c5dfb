"""Pushes of several jobs that become one message."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from processors.collapse import Event, collapsed, forget
from processors.push.admission import Admission
from processors.push.cancelling import CANCELLED
from processors.push.message import bodies_of, message_of
from processors.push.options import Urgency
from processors.push.payload import CollapsedPush, PushPayload
from processors.push.result import PushResult

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from processors.collapse import Collapse
    from processors.push.dependencies import PushDependencies
    from processors.push.message import PayloadStyle
    from queue_lib.processor import Context

    Send = Callable[[PushPayload, Context], Awaitable[PushResult]]


async def send_collapsed(
    push: PushPayload, collapse: Collapse, dependencies: PushDependencies, context: Context, send: Send
) -> PushResult:
    """Send one message for all events of the user's gathering, unless another job does that.

    Raises PermanentError for an event that no push service takes, before others are gathered with it; SnoozeError until
    its window is over; and what `send` raises. Then a later run sends for the same events.
    """
    event = Event(push.event, push.options.cancel_key, context.job.created_at)
    _check(push, event, dependencies.style)
    key, quiet = _key(push, collapse), 0.0
    if push.options.ttl:  # else it is worth nothing later
        quiet = await Admission(dependencies.reach, push.options).wait(push.user_id)
    found = await collapsed(context, push.user_id, key, max(collapse.window, quiet), event)
    if found is None:
        return PushResult(collapsed=0)
    result = CANCELLED if found.newest is None else await send(_one(push, found.count, found.newest), context)
    await forget(context, push.user_id, key)
    return result.model_copy(update={"collapsed": found.count})


def _key(push: PushPayload, collapse: Collapse) -> str:
    """What events have in common that become one message: also what the user's preferences and quiet hours ask for."""
    options = push.options
    return json.dumps([collapse.key, options.type, options.quiet, options.urgency is Urgency.HIGH])


def _check(push: PushPayload, event: Event, style: PayloadStyle) -> None:
    for count in (1, 2):
        message = _one(push, count, event)
        message_of(message, style)
        bodies_of(message, style)


def _one(push: PushPayload, count: int, newest: Event) -> CollapsedPush:
    """The newest event's message for so many, as its options say. It can be taken back as that event."""
    extra = push.model_extra or {}
    event = PushPayload.model_validate({**newest.content, "userId": push.user_id})
    options = event.options.model_copy(update={"collapse": None})
    return CollapsedPush.model_validate(
        {**extra, **event.collapsed_content(count), "userId": push.user_id, "options": options, "since": newest.since}
    )
