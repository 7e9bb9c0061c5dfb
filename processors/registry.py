"""Which job is run by what: one line a job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from processors.forms import FORMS
from processors.media.dead_uploads import DeadUploads
from processors.media.files import ProcessFile
from processors.media.films import ProcessVideo
from processors.media.pictures import OptimizeAvatar, ProcessImage
from processors.push.batch import PushBatch
from processors.push.payload import FOLLOW_UP
from processors.push.processor import PushFollowUp, PushNotification
from queue_lib.processor import Route

if TYPE_CHECKING:
    from processors.media.parts import MediaParts
    from processors.push.dependencies import PushDependencies as Parts
    from queue_lib.processor import Processor

OF_FILES = ("process-image", "process-video", "process-file")  # jobs whose upload has a row


def build(*, push: Parts, media: MediaParts) -> list[Route[Any]]:
    """All routes, over what they need."""
    processors: dict[str, Processor[Any]] = {
        "push-notification": PushNotification(push),
        "push-batch": PushBatch(push),
        FOLLOW_UP: PushFollowUp(push),
        "process-image": ProcessImage(media),
        "process-video": ProcessVideo(media),
        "optimize-avatar": OptimizeAvatar(media),
        "process-file": ProcessFile(media),
    }
    on_dead = dict.fromkeys(OF_FILES, DeadUploads(media))
    return [Route(form.name, form.queue, form.payload, processors[form.name], on_dead.get(form.name)) for form in FORMS]
