"""Which job is run by what: one line a job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from processors.media.payload import ImagePayload
from processors.media.processor import ProcessImage
from processors.push.payload import PushPayload
from processors.push.processor import PushNotification
from queue_lib.processor import Route

if TYPE_CHECKING:
    from processors.media.sandbox import Sandbox
    from processors.push.delivery import Sender
    from storage.objects.base import ObjectStore
    from storage.ports import Files, Subscriptions


def build(
    *, subscriptions: Subscriptions, sender: Sender, objects: ObjectStore, files: Files, sandbox: Sandbox
) -> list[Route[Any]]:
    """All routes, over what they need."""
    return [
        Route("push-notification", "push-notifications", PushPayload, PushNotification(subscriptions, sender)),
        Route("process-image", "file-processing", ImagePayload, ProcessImage(objects, files, sandbox)),
    ]
