"""The list of jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from processors.forms import FORMS
from processors.media.payload import AvatarPayload, FileJob, ImagePayload, VideoPayload
from processors.push.payload import BatchPayload, FollowUpPayload, PushPayload
from processors.registry import build
from queue_lib.processor import Registry
from queue_lib.queues import QUEUES

if TYPE_CHECKING:
    from pydantic import BaseModel

NOTHING: Any = None


def routes() -> list[Any]:
    """The routes, over ports that nobody calls."""
    return build(push=NOTHING, media=NOTHING)


def test_every_job_has_its_queue_and_payload() -> None:
    """The names, queues and payloads are the ones the app enqueues with."""
    expected: list[tuple[str, str, type[BaseModel]]] = [
        ("push-notification", "push-notifications", PushPayload),
        ("push-batch", "push-notifications", BatchPayload),
        ("push-follow-up", "push-notifications", FollowUpPayload),
        ("process-image", "file-processing", ImagePayload),
        ("process-video", "file-processing", VideoPayload),
        ("optimize-avatar", "file-processing", AvatarPayload),
        ("process-file", "file-processing", FileJob),
    ]

    assert expected == [(route.name, route.queue, route.payload) for route in routes()]


def test_every_route_leads_to_a_queue_of_the_table() -> None:
    """No job is registered in a queue that nobody serves."""
    assert {route.queue for route in routes()} <= {queue.name for queue in QUEUES}


def test_the_registry_takes_the_routes() -> None:
    """A job is found by its name in its own queue only."""
    registry = Registry(routes())

    assert registry.find("process-image", "file-processing") is not None
    assert registry.find("process-image", "push-notifications") is None


def test_what_running_jobs_enqueue_is_nobody_elses() -> None:
    """A follow-up carries what only a run knows."""
    assert ["push-follow-up"] == [form.name for form in FORMS if form.internal]
