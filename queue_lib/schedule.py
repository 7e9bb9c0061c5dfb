"""A job that is added again and again, and the id by which Redis knows it."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "pushmill:"  # of the ids of all schedules that workers keep: the app's own have others
TEAM = ""  # the owner of the schedules in the modules that JOBS names


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


def schedule_id(owner: str, key: str) -> str:
    """The id of a schedule: `pushmill:<key>` for the team's, `pushmill:<feature>:<key>` for a feature's."""
    return f"{PREFIX}{owner}:{key}" if owner else f"{PREFIX}{key}"


def owner_of(found: str) -> str | None:
    """Whose schedule it is, by its id: TEAM, a feature's name, or None for the app's own. Keys have no colon."""
    return found.removeprefix(PREFIX).rpartition(":")[0] if found.startswith(PREFIX) else None
