"""Several events for one user and key within a window become one message, for all features."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import ConfigDict, Field, ValidationError

from processors.lenient import Key  # noqa: TC001 -- pydantic reads it
from queue_lib.errors import SnoozeError
from queue_lib.processor import Model

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from queue_lib.processor import Context

LONGEST_WINDOW = 86_400  # seconds
_COUNT = re.compile(r"\{\{\s*count\s*\}\}")


class Collapse(Model):
    """Which events become one message, and what that says."""

    model_config = ConfigDict(extra="forbid")

    key: Key = Field(description="events with the same key, for the same user")
    window: Annotated[float, Field(gt=0, le=LONGEST_WINDOW)] = Field(
        description="seconds from the first event until the message is sent"
    )
    template: str | dict[str, Any] = Field(
        description=(
            "for two or more: a text (the body; of a mail the subject), or fields that replace the newest event's; "
            "{{count}} is their number"
        )
    )

    def check_fields(self, allowed: Collection[str]) -> None:
        """Raise ValueError for a template with fields that are not allowed."""
        given = self.template if isinstance(self.template, dict) else {}
        if others := sorted(name[:50] for name in given.keys() - allowed):
            msg = f"collapse.template: {', '.join(others[:5])}: it may have {', '.join(allowed)}"
            raise ValueError(msg)

    def fields(self, count: int, text: str) -> dict[str, Any]:
        """The template for so many events; a template that is a text is the field `text`."""
        filled: dict[str, Any] = _filled(
            {text: self.template} if isinstance(self.template, str) else self.template, str(count)
        )
        return filled


@contextmanager
def template_checked(what: str) -> Iterator[None]:
    """Says of an error that the template is at fault: it makes no `what`. Raises ValueError, without values."""
    try:
        yield
    except RecursionError:
        msg = "collapse.template is nested too deeply"
        raise ValueError(msg) from None
    except ValidationError as error:
        names = sorted({str(fault["loc"][0]) for fault in error.errors(include_input=False) if fault["loc"]})
        msg = f"collapse.template makes no {what}: {', '.join(names)[:100]}"
        raise ValueError(msg) from None


@dataclass(frozen=True, slots=True)
class Event:
    """What a job adds to a gathering: the content of its message, and whether it can be taken back by a key.

    `since` is when the app added the job, in seconds since the epoch. The content is JSON.
    """

    content: Any
    cancel_key: str | None
    since: float


@dataclass(frozen=True, slots=True)
class Collapsed:
    """What a job sends for `count` events, of which `newest` is the last: nothing for 0."""

    count: int
    newest: Event | None


def gathering(context: Context, user_id: str, key: str) -> str:
    """The name of the gathering of a user and a key in this job's queue."""
    told = json.dumps([context.job.queue, user_id, key])
    return hashlib.sha256(told.encode()).hexdigest()[:32]


def member(context: Context) -> str:
    """The name of this job in a gathering: the same in each of its runs, and no other job's."""
    job = context.job
    return hashlib.sha256(json.dumps([job.wire, job.id, job.created_at]).encode()).hexdigest()[:32]


async def collapsed(context: Context, user_id: str, key: str, window: float, event: Event) -> Collapsed | None:
    """What this job sends for itself and for others; None if another job sends for it.

    Its event opens a window of so many seconds, unless one is open for this user and key. Events that were cancelled do
    not count. Raises SnoozeError until the window is over, and BrokerUnavailableError.
    """
    board, name = context.board, gathering(context, user_id, key)
    told = json.dumps([event.content, event.cancel_key, event.since])
    gathered = await board.gather(name, member(context), told, window)
    if gathered.wait is not None:
        msg = "waits for more events of its collapse key"
        raise SnoozeError(msg, gathered.wait)
    if not gathered.events:
        return None
    events = [Event(*json.loads(text)) for text in gathered.events]
    keys = {each.cancel_key for each in events if each.cancel_key is not None}
    moments = await board.cancelled(keys) if keys else {}
    left = [each for each in events if each.cancel_key is None or moments.get(each.cancel_key, -1.0) < each.since]
    return Collapsed(len(left) + (gathered.left_out if left else 0), left[-1] if left else None)


async def forget(context: Context, user_id: str, key: str) -> None:
    """The message was sent: no later run of this job needs the events."""
    await context.board.forget(gathering(context, user_id, key), member(context))


def _filled(value: Any, count: str) -> Any:
    """The value with the number in place of {{count}} in all its texts."""
    if isinstance(value, str):
        return _COUNT.sub(count, value)
    if isinstance(value, dict):
        return {name: _filled(each, count) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, count) for each in value]
    return value
