"""Schedules in the API's JSON: camelCase, times in milliseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from queue_lib.admin.add_options import StrictModel
from queue_lib.job import State
from queue_lib.processor import Model
from queue_lib.schedule import Schedule
from queue_lib.web.api.job_models import DATA, example, milliseconds

if TYPE_CHECKING:
    from queue_lib.admin.schedules import SchedulePage, ScheduleView

LAST = {"state": "completed", "at": 1795572001812, "job": "repeat:nightly:1795572000000"}
NIGHTLY = {
    "id": "nightly",
    "queue": "reports",
    "name": "build-report",
    "data": DATA,
    "cron": "0 3 * * *",
    "tz": "Europe/Berlin",
    "every": None,
    "next": [1795658400000, 1795744800000, 1795831200000, 1795917600000, 1796004000000],
    "paused": False,
    "reason": None,
    "last": LAST,
    "owner": None,
}


class ScheduleIn(StrictModel):
    """The job `name` with `data`, added when `cron` says in the time zone `tz`, or `every` so many milliseconds."""

    model_config = example(name="build-report", data=DATA, cron="0 3 * * *", tz="Europe/Berlin")

    name: str
    data: Annotated[dict[str, Any], Field(default_factory=dict)]
    cron: Annotated[str | None, Field(max_length=200, description="As in crontab, or with seconds first.")] = None
    tz: Annotated[str, Field(max_length=100)] = "UTC"
    every: Annotated[int | None, Field(ge=1000, description="Milliseconds. The first job is added at once.")] = None

    def schedule(self, schedule_id: str) -> Schedule:
        """With this id."""
        every = None if self.every is None else self.every / 1000
        return Schedule(schedule_id, self.name, self.data, cron=self.cron, tz=self.tz, every=every)


class ScheduleRunOut(Model):
    """The last job of the schedule that has ended, and when it did. `job` is its id, null if it is deleted."""

    model_config = example(**LAST)

    state: State
    at: int
    job: str | None


class ScheduleOut(Model):
    """A schedule. `next` are its next times: none while it is `paused`, or has stopped for this `reason`.

    `last` counts jobs that workers of Pushmill have run. `owner` is null for schedules of the app and of the API, JOBS
    for those in the modules that JOBS names, or the name of a feature: a worker keeps these as their module says.
    """

    model_config = example(**NIGHTLY)

    id: str
    queue: str
    name: str
    data: Any
    cron: str | None
    tz: str | None
    every: int | None
    next: list[int]
    paused: bool
    reason: str | None
    last: ScheduleRunOut | None
    owner: str | None


class SchedulePageOut(Model):
    """Some schedules of `total`; `resume` is the next `start`. `unread` are queues whose keys can't be read."""

    model_config = example(schedules=[NIGHTLY], total=1, resume=None, unread=[])

    schedules: list[ScheduleOut]
    total: int
    resume: int | None
    unread: list[str]


class ScheduleSet(Model):
    """Where the schedule is."""

    model_config = example(id="nightly", queue="reports")

    id: str
    queue: str


class ScheduledRun(Model):
    """The job that was added."""

    model_config = example(outcome="added", id="17", queue="reports")

    outcome: str
    id: str
    queue: str


def schedule_out(view: ScheduleView) -> ScheduleOut:
    """A schedule for a client."""
    last = view.last and ScheduleRunOut(
        state=view.last.state, at=round(view.last.at * 1000), job=view.last.job_id if view.last.is_kept else None
    )
    return ScheduleOut(
        id=view.id,
        queue=view.queue,
        name=view.job,
        data=view.data,
        cron=view.cron,
        tz=view.tz,
        every=milliseconds(view.every),
        next=[round(each * 1000) for each in view.times],
        paused=view.paused,
        reason=view.reason,
        last=last,
        owner="JOBS" if view.owner == "" else view.owner,
    )


def schedules_out(page: SchedulePage, start: int) -> SchedulePageOut:
    """A page for a client."""
    end = start + len(page.schedules)
    return SchedulePageOut(
        schedules=[schedule_out(each) for each in page.schedules],
        total=page.total,
        resume=end if page.schedules and end < page.total else None,
        unread=list(page.unread),
    )
