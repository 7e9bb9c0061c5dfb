"""What the jobs look like: name, queue and payload, one line a job. registry.py says who runs them."""

from __future__ import annotations

from processors.media.payload import AvatarPayload, FileJob, ImagePayload, VideoPayload
from processors.push.payload import FOLLOW_UP, BatchPayload, FollowUpPayload, PushPayload
from queue_lib.processor import Form

FORMS: tuple[Form, ...] = (
    Form("push-notification", "push-notifications", PushPayload),
    Form("push-batch", "push-notifications", BatchPayload),
    Form(FOLLOW_UP, "push-notifications", FollowUpPayload, internal=True),
    Form("process-image", "file-processing", ImagePayload),
    Form("process-video", "file-processing", VideoPayload),
    Form("optimize-avatar", "file-processing", AvatarPayload),
    Form("process-file", "file-processing", FileJob),
)
