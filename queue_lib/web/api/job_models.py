"""Jobs in the API's JSON: camelCase, times in milliseconds since the epoch, as BullMQ writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AliasChoices, ConfigDict, Field

from queue_lib.admin.add_options import AddOptions, StrictModel
from queue_lib.admin.follow_ups import follow_up_of, follow_ups
from queue_lib.job import State, Wire
from queue_lib.plain_json import MAX_NUMBER
from queue_lib.processor import Model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from queue_lib.admin.lists import Listed
    from queue_lib.admin.ports import AttemptFailure, JobRef, JobView

BATCH = 1000  # jobs
DATA, RESULT = {"reportId": "r1"}, {"url": "https://cdn.example.com/r1.pdf"}


def example(**fields: Any) -> ConfigDict:
    """A model's example in JSON."""
    return ConfigDict(json_schema_extra={"examples": [fields]})


STARTED, FINISHED = 1795572107548, 1795572109003
FACTS = {
    "id": "17",
    "name": "build-report",
    "queue": "reports",
    "wire": "bullmq",
    "state": "completed",
    "attemptsMade": 1,
    "maxAttempts": 2,
    "priority": 0,
    "enqueuedAt": STARTED - 40,
    "dueAt": None,
    "startedAt": STARTED,
    "finishedAt": FINISHED,
    "wait": 40,
    "run": FINISHED - STARTED,
    "worker": "dyno-1-c7f3a210",
    "progress": 100,
    "reason": None,
}


def _name_or_type(schema: dict[str, Any]) -> None:
    """Say in the JSON schema that the name may come as `type`."""
    schema["properties"]["type"] = {
        **schema["properties"]["name"],
        "title": "Type",
        "description": "The same as `name`.",
    }
    schema["required"].remove("name")
    schema["oneOf"] = [{"required": ["name"]}, {"required": ["type"]}]


class JobOptions(AddOptions):
    """BullMQ's options for `queue.add`, and the wire. What is left out is up to the queue."""

    wire: Wire = Wire.BULLMQ


class Submission(StrictModel):
    """A job to be enqueued: its name, which may be called `type`, says in which queue."""

    model_config = ConfigDict(json_schema_extra=_name_or_type)

    name: Annotated[str, Field(validation_alias=AliasChoices("name", "type"), examples=["build-report"])]
    data: Annotated[Any, Field(examples=[DATA])]
    options: JobOptions = JobOptions()


class Batch(StrictModel):
    """Jobs to be enqueued."""

    jobs: Annotated[list[Submission], Field(min_length=1, max_length=BATCH)]


class Accepted(Model):
    """Where to find the job."""

    model_config = example(id="17", queue="reports", wire="bullmq")

    id: str
    queue: str
    wire: Wire


class AcceptedBatch(Model):
    """Where to find the jobs, in the order of the batch."""

    jobs: list[Accepted]


class FailureOut(Model):
    """Why an attempt failed. `attempt` is null for one before a manual retry, `at` if the wire keeps no time."""

    attempt: int | None
    at: int | None
    reason: str
    stack: str


class RefOut(Model):
    """Another job. On RQ its queue is not known."""

    id: str
    queue: str | None


class JobBrief(Model):
    """A job in a list, without fields that may be large.

    `maxAttempts` is null where the queue's number holds. `priority` is BullMQ's number, or RQ's lane. `wait` and `run`
    are milliseconds of the last run: before it started, and until it ended.
    """

    model_config = example(**FACTS)

    id: str
    name: str
    queue: str
    wire: Wire
    state: State
    attempts_made: int
    max_attempts: int | None
    priority: int | str | None
    enqueued_at: int | None
    due_at: int | None
    started_at: int | None
    finished_at: int | None
    wait: int | None
    run: int | None
    worker: str | None
    progress: Any
    reason: str | None


class JobNews(JobBrief):
    """A job in its events."""

    model_config = example(**FACTS, result=RESULT)

    result: Any


class JobOut(JobNews):
    """A job in full. Each failed attempt has its stack trace; `stack` is the last one's.

    `parents` wait for this job on BullMQ, and are what it waits for on RQ; `children` the other way round, at most 100
    of them. `deadChildren` are those for which it waits for ever, because they have failed for good or are gone: it
    goes on when they are retried with success, or removed. `followUps` are the jobs that it has added, as its result
    names them; `followUpOf` the one that has added it, and the first of them all.
    """

    model_config = example(
        **FACTS,
        result=RESULT,
        data=DATA,
        stack=None,
        log=[],
        failures=[],
        parents=[],
        children=[],
        deadChildren=[],
        followUps=[],
        followUpOf=[],
    )

    data: Any
    stack: str | None
    log: list[str]
    failures: list[FailureOut]
    parents: list[RefOut]
    children: list[RefOut]
    dead_children: list[RefOut]
    follow_ups: list[RefOut]
    follow_up_of: list[RefOut]


class JobPageOut(Model):
    """Some jobs. `total` is how many are in the state, null for a search.

    Of both wires, `next` is the `after` of the next request; of one wire, `resume` is its `start`. Both are null at the
    end.
    """

    model_config = example(jobs=[FACTS], total=481, resume=None, next='[50,{"bullmq0":[1795572109003,"17"]}]')

    jobs: list[JobBrief]
    total: int | None
    resume: int | None
    next: str | None


class Outcome(Model):
    """What was done."""

    model_config = example(outcome="retried")

    outcome: str


def brief_out(view: JobView) -> JobBrief:
    """A job in a list, for a client."""
    return JobBrief(**_facts(view))


def news_out(view: JobView) -> JobNews:
    """A job as it is, for a client that follows it."""
    return JobNews(**_facts(view), result=view.result)


def job_out(view: JobView) -> JobOut:
    """A job whole, for a client."""
    return JobOut(
        **_facts(view),
        result=view.result,
        data=view.data,
        stack=view.stack,
        log=view.log,
        failures=[_failure(each) for each in view.failures],
        parents=_refs(view.parents),
        children=_refs(view.children),
        dead_children=_refs(view.dead_children),
        follow_ups=_refs(follow_ups(view)),
        follow_up_of=_refs(follow_up_of(view)),
    )


def _facts(view: JobView) -> dict[str, Any]:
    return {
        "id": view.id,
        "name": view.name,
        "queue": view.queue,
        "wire": view.wire,
        "state": view.state,
        "attempts_made": view.attempts_made,
        "max_attempts": view.max_attempts,
        "priority": view.priority,
        "enqueued_at": milliseconds(view.enqueued_at or None),
        "due_at": milliseconds(view.due_at),
        "started_at": milliseconds(view.started_at),
        "finished_at": milliseconds(view.finished_at),
        "wait": milliseconds(view.wait),
        "run": milliseconds(view.run),
        "worker": view.worker,
        "progress": view.progress,
        "reason": view.reason,
    }


def _failure(failure: AttemptFailure) -> FailureOut:
    return FailureOut(attempt=failure.attempt, at=milliseconds(failure.at), reason=failure.reason, stack=failure.stack)


def _refs(refs: Sequence[JobRef]) -> list[RefOut]:
    return [RefOut(id=ref.id, queue=ref.queue) for ref in refs]


def page_out(listed: Listed, total: int | None) -> JobPageOut:
    """Some jobs of both wires for a client."""
    following = listed.following.text() if listed.following else None
    return JobPageOut(jobs=[brief_out(job) for job in listed.jobs], total=total, resume=None, next=following)


def numbered_out(jobs: Sequence[JobView], total: int | None, resume: int | None) -> JobPageOut:
    """Some jobs of one wire."""
    return JobPageOut(jobs=[brief_out(job) for job in jobs], total=total, resume=resume, next=None)


def milliseconds(seconds: float | None) -> int | None:
    """Seconds as milliseconds; None if out of bounds."""
    return round(seconds * 1000) if seconds is not None and abs(seconds) < MAX_NUMBER else None
