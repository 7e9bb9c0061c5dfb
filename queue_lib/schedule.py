"""A job that is added again and again."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Schedule:
    """The job `job` with the payload `data`, added when `cron` says in the time zone `tz`, or `every` so many seconds.

    `key` names the schedule: no other of the job's queue has it. A schedule that has changed takes the place of the one
    with its key. `cron` is as in crontab, with seconds in front if there are six fields. With `every` the first job is
    added at once.
    """

    key: str
    job: str
    data: Mapping[str, Any] = field(default_factory=dict)
    _: KW_ONLY
    cron: str | None = None
    tz: str = "UTC"
    every: float | None = None
