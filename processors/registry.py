"""Which job is run by what: one line a job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from processors.media.files import FileJob, ProcessFile
from processors.media.films import ProcessVideo
from processors.media.payload import AvatarPayload, ImagePayload, VideoPayload
from processors.media.pictures import OptimizeAvatar, ProcessImage
from processors.push.batch import PushBatch
from processors.push.fan_out import FOLLOW_UP, Parts
from processors.push.payload import BatchPayload, FollowUpPayload, PushPayload
from processors.push.processor import PushFollowUp, PushNotification
from queue_lib.processor import Route

if TYPE_CHECKING:
    from processors.media.parts import MediaParts


def build(*, push: Parts, media: MediaParts) -> list[Route[Any]]:
    """All routes, over what they need."""
    return [
        Route("push-notification", "push-notifications", PushPayload, PushNotification(push)),
        Route("push-batch", "push-notifications", BatchPayload, PushBatch(push)),
        Route(FOLLOW_UP, "push-notifications", FollowUpPayload, PushFollowUp(push)),
        Route("process-image", "file-processing", ImagePayload, ProcessImage(media)),
        Route("process-video", "file-processing", VideoPayload, ProcessVideo(media)),
        Route("optimize-avatar", "file-processing", AvatarPayload, OptimizeAvatar(media)),
        Route("process-file", "file-processing", FileJob, ProcessFile(media)),
    ]
