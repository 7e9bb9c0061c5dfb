"""What the processors of such teams become: jobs of their own, which JOBS names."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from queue_lib.jobs import Backoff, Bridge, Context, Deduplication, Job, Model, PermanentError, Queue, Retention

FOREVER = 100 * 365 * 24 * 3600.0  # seconds


class ChatMessage(Model):
    """What a chat's producer adds for a push."""

    user_id: str
    payload: dict[str, Any]


class Push(Job[ChatMessage]):
    """For producers that can't be changed: their `push` in `notification` becomes a job of the worker's own."""

    name, queue = "push", "notification"

    async def handle(self, payload: ChatMessage, context: Context) -> dict[str, Any]:
        """Pass it on."""
        data = payload.model_dump(by_alias=True)
        return {"passedOnAs": await self.tools.enqueue("push-notification", data)}


class Task(Model):
    """What the producer of `example` adds."""

    user_id: str
    action: str
    data: dict[str, Any]


class Example(Job[Task]):
    """The processor of `example`."""

    name, queue = "example", "example"

    async def handle(self, payload: Task, context: Context) -> dict[str, Any]:
        """Do nothing but say so."""
        return {"success": payload.action == "send-email", "processedAt": datetime.now(UTC)}


class Feature(Model):
    """What the producer of `my-feature` adds."""

    user_id: str


class Success(Model):
    """What both sides know of the result."""

    success: bool


class MyFeature(Job[Feature]):
    """The processor of `my-feature`."""

    name, queue = "process", "my-feature"
    result = Success

    async def handle(self, payload: Feature, context: Context) -> Success:
        """Do it."""
        return Success(success=bool(payload.user_id))


class Heavy(Job[Feature]):
    """The processor of `heavy-processing`: it fails, and is tried again after the queue's minute."""

    name, queue = "heavy", "heavy-processing"

    def handle(self, payload: Feature, context: Context) -> Success:
        """Work in a thread."""
        if payload.user_id == "nobody":
            msg = "no such user"
            raise RuntimeError(msg)
        return Success(success=True)


class Part(Model):
    """A child of a course."""

    video_id: str | None = None
    pdf_id: str | None = None


class CourseVideo(Job[Part]):
    """A child in `process-video`."""

    name, queue = "course-video", "process-video"

    async def handle(self, payload: Part, context: Context) -> dict[str, Any]:
        """Make it."""
        return {"made": payload.video_id}


class CoursePdf(Job[Part]):
    """A child in `generate-pdf`."""

    name, queue = "generate-pdf", "generate-pdf"

    async def handle(self, payload: Part, context: Context) -> dict[str, Any]:
        """Make it, or fail for good."""
        if payload.pdf_id == "lost":
            msg = "no such page"
            raise PermanentError(msg)
        return {"made": payload.pdf_id}


class Course(Model):
    """The parent of the parts."""

    course_id: str


class CourseComplete(Job[Course]):
    """The parent in `course-orchestrator`."""

    name, queue = "course-complete", "course-orchestrator"

    async def handle(self, payload: Course, context: Context) -> dict[str, Any]:
        """Gather what the children have made."""
        children = await context.children()
        made = sorted(each["made"] for each in children.results.values())
        return {"course": payload.course_id, "made": made, "lost": [*children.failures.values()]}


class User(Model):
    """Who is welcomed: an identifier, not the user."""

    user_id: str


class SendWelcomeEmail(Job[User]):
    """A class that says its queue and what it does."""

    name, queue = "SendWelcomeEmail", "emails"

    async def handle(self, payload: User, context: Context) -> None:
        """Say it."""
        await context.log(f"Sending welcome email to user {payload.user_id}")


class Tidy(Job[User]):
    """A job of the queue `default`: it fails once, as an outage does."""

    name, queue = "Tidy", "default"
    backoff = Backoff((0.01,))

    def handle(self, payload: User, context: Context) -> dict[str, int]:
        """Fail at first."""
        if context.job.attempt == 1:
            msg = "busy"
            raise RuntimeError(msg)
        return {"attempt": context.job.attempt}


QUEUES = (
    Queue(name="notification", concurrency=3),
    Queue(name="example", concurrency=1),
    Queue(name="my-feature", concurrency=5),
    Queue(
        name="heavy-processing",
        profile="heavy",
        concurrency=1,
        attempts=2,
        backoff=Backoff((60.0,)),
        keep_completed=Retention(age=FOREVER, count=100),
        keep_failed=Retention(age=FOREVER),
    ),
    Queue(name="course-orchestrator", concurrency=1),
    Queue(name="process-video", profile="heavy", concurrency=1),
    Queue(name="generate-pdf", concurrency=1),
    Queue(name="default", concurrency=2),
    Queue(name="emails", concurrency=2),
)
JOBS = (Push, Example, MyFeature, Heavy, CourseVideo, CoursePdf, CourseComplete, SendWelcomeEmail, Tidy)
BRIDGES = (
    Bridge(
        "post.*",
        "index_doc",
        lambda event: {"entity": "Post", "id": event.aggregate_id},
        deduplication=lambda event: Deduplication(id=f"Post:{event.aggregate_id}", keep_last_if_active=True),
    ),
)
