"""Pushes of several jobs that become one message."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.collapse import Event, collapsed, forget
from processors.push.cancelling import CANCELLED
from processors.push.payload import CollapsedPush, PushPayload, PushResult

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from queue_lib.processor import Context

    Send = Callable[[PushPayload, Context], Awaitable[PushResult]]


async def send_collapsed(push: PushPayload, context: Context, send: Send) -> PushResult:
    """Send one message for all events of the user's gathering, unless another job does that.

    Raises SnoozeError until its window is over, and what `send` raises; then a later run sends for the same events.
    """
    collapse = push.options.collapse
    if collapse is None:
        return await send(push, context)
    event = Event(push.content, push.options.cancel_key, context.job.created_at)
    found = await collapsed(context, push.user_id, collapse, event)
    if found is None:
        return PushResult(collapsed=0)
    result = CANCELLED if found.newest is None else await send(_one(push, found.count, found.newest), context)
    await forget(context, push.user_id, collapse)
    return result.model_copy(update={"collapsed": found.count})


def _one(push: PushPayload, count: int, newest: Event) -> CollapsedPush:
    """The message for so many events, which can be taken back as the newest one."""
    options = push.options.model_copy(update={"collapse": None, "cancel_key": newest.cancel_key})
    content = push.collapsed_content(count, newest.content)
    return CollapsedPush.model_validate(
        {**(push.model_extra or {}), **content, "userId": push.user_id, "options": options, "since": newest.since}
    )
