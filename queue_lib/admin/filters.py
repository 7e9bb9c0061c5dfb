"""Which failed jobs or dead letters an action is about."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from queue_lib.admin.letter_groups import group_of

if TYPE_CHECKING:
    from queue_lib.admin.ports import JobView
    from queue_lib.broker.dead_letters import DeadLetterView
    from queue_lib.job import Wire

_WRITE = json.JSONEncoder(ensure_ascii=False).encode  # made once: a search writes thousands


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Failed jobs or dead letters that meet all conditions given; None is no condition.

    `reason` is looked for in the reason, `words` in the id, name, reason and payload; case does not matter. `newer`
    and `older` are ages in seconds. `before` is a moment in seconds since the epoch: what failed later is left out.
    `group` names the group of the reason.
    """

    queue: str | None = None
    wire: Wire | None = None
    name: str | None = None
    reason: str | None = None
    words: str | None = None
    newer: float | None = None
    older: float | None = None
    before: float | None = None
    group: str | None = None

    def admits(self, job: JobView | DeadLetterView, failed_at: float | None, now: float) -> bool:
        """Whether the job meets all conditions.

        Both times are in seconds since the epoch. None is a job whose time is not known: it counts as just failed for
        `newer` and `older`, and as failed before any moment.
        """
        age = 0.0 if failed_at is None else now - failed_at
        return (
            (self.queue is None or job.queue == self.queue)
            and (self.wire is None or job.wire is self.wire)
            and (self.name is None or job.name == self.name)
            and (self.newer is None or age <= self.newer)
            and (self.older is None or age >= self.older)
            and (self.before is None or failed_at is None or failed_at <= self.before)
            and (self.reason is None or self.reason.casefold() in (job.reason or "").casefold())
            and (self.words is None or has_words(job, self.words))
            and (self.group is None or group_of(job.reason or "") == self.group)
        )


def has_words(job: JobView | DeadLetterView, words: str) -> bool:
    """Whether the words are in the job's id, name, reason or payload, in any case."""
    return words.casefold() in "\n".join((job.id, job.name, job.reason or "", _WRITE(job.data))).casefold()
