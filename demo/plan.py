"""What the demo enqueues, and by whom."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Self

from demo.app import FILE_ID, UPLOAD_KEY
from demo.producers import Wish

PUSH = "push-notifications", "push-notification"
IMAGE = "file-processing", "process-image"
NO_TITLE = {"body": "a payload without a title"}


@dataclass(frozen=True)
class Plan:
    """The notifications. Their tickets are drawn by chance, so that nothing can arrive that was not sent."""

    to_ada: dict[str, str]
    to_grace: dict[str, str]

    @classmethod
    def draw(cls) -> Self:
        """A new plan."""
        return cls(
            {"title": "Hello Ada", "body": f"this came by BullMQ, ticket {secrets.token_hex(3)}", "url": "/chat/1"},
            {"title": "Hello Grace", "body": f"this came by RQ, ticket {secrets.token_hex(3)}", "url": "/chat/2"},
        )

    def by_bullmq(self) -> list[Wish]:
        """A push to a user with two devices, one of them gone; and a picture."""
        return [
            Wish(*PUSH, {"userId": "ada", "payload": self.to_ada}),
            Wish(*IMAGE, {"fileId": FILE_ID, "filePath": UPLOAD_KEY, "userId": "ada"}),
        ]

    def by_rq(self) -> list[Wish]:
        """A push, and one that can't be sent."""
        return [
            Wish(*PUSH, {"userId": "grace", "payload": self.to_grace}),
            Wish(*PUSH, {"userId": "grace", "payload": NO_TITLE}),
        ]
