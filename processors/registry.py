"""Which job is run by what: one line a job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from processors.media.payload import ImagePayload
from processors.media.processor import ProcessImage
from processors.push.batch import PushBatch
from processors.push.fan_out import FOLLOW_UP, Parts
from processors.push.payload import BatchPayload, FollowUpPayload, PushPayload
from processors.push.processor import PushFollowUp, PushNotification
from queue_lib.processor import Route

if TYPE_CHECKING:
    from processors.media.sandbox import Sandbox
    from storage.objects.base import ObjectStore
    from storage.ports import Files


def build(*, push: Parts, objects: ObjectStore, files: Files, sandbox: Sandbox) -> list[Route[Any]]:
    """All routes, over what they need."""
    return [
        Route("push-notification", "push-notifications", PushPayload, PushNotification(push)),
        Route("push-batch", "push-notifications", BatchPayload, PushBatch(push)),
        Route(FOLLOW_UP, "push-notifications", FollowUpPayload, PushFollowUp(push)),
        Route("process-image", "file-processing", ImagePayload, ProcessImage(objects, files, sandbox)),
    ]
