"""The list of jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from processors.forms import FORMS
from processors.media.payload import AvatarPayload, FileJob, ImagePayload, VideoPayload
from processors.push.payload import BatchPayload, FollowUpPayload, PushPayload
from processors.registry import build
from queue_lib.processor import Registry, faults
from queue_lib.queues import QUEUES

if TYPE_CHECKING:
    from pydantic import BaseModel

    from queue_lib.processor import Form

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


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_reason_repeats_no_value(form: Form) -> None:
    """What is wrong with a payload is said by its fields: reasons are in the log, and values are the users' own."""
    secret = "zz-holiday-with-ada"
    names = ("fileId", "filePath", "userId", "userIds", "all", "operation", "payload", "options", "subscriptionIds")
    wrong: list[Any] = [secret, f"/{secret}", f"https://{secret}/..", [secret], {"other": secret}, secret * 1000]
    fine = {"fileId": "f1", "filePath": "a/b.jpg", "userId": "u1", "payload": {"title": "t"}, "operation": "resize"}
    nested = [{"payload": {key: value}} for key in ("title", "url", "icon", "actions") for value in wrong]
    nested += [
        {"options": {key: value}} for key in ("formats", "quality", "ttl", "urgency", "topic") for value in wrong
    ]
    reasons = [
        _reason(form, fine | change) for change in [*({name: value} for name in names for value in wrong), *nested]
    ]

    assert any(reasons)
    assert [] == [reason for reason in reasons if secret in reason]


def _reason(form: Form, data: dict[str, Any]) -> str:
    """Why it is refused, or nothing."""
    try:
        form.payload.model_validate(data)
    except ValidationError as error:
        return faults(error)
    return ""
