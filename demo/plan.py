"""The jobs of the demo."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Self

from demo.app import FILE_ID, UPLOAD_KEY
from demo.producers import NewJob

PUSH = "push-notifications", "push-notification"
IMAGE = "file-processing", "process-image"
NO_TITLE = {"body": "a payload without a title"}


@dataclass(frozen=True)
class Plan:
    """The notifications. Their tickets are random, so that a push of an earlier run can't pass for one of this run."""

    to_ada: dict[str, str]
    to_grace: dict[str, str]

    @classmethod
    def draw(cls) -> Self:
        """A plan with new tickets."""
        return cls(
            {"title": "Hello Ada", "body": f"this came by BullMQ, ticket {secrets.token_hex(3)}", "url": "/chat/1"},
            {"title": "Hello Grace", "body": f"this came by RQ, ticket {secrets.token_hex(3)}", "url": "/chat/2"},
        )

    def by_bullmq(self) -> list[NewJob]:
        """A push to a user with two devices, one of them gone, and an image."""
        return [
            NewJob(*PUSH, {"userId": "ada", "payload": self.to_ada}),
            NewJob(*IMAGE, {"fileId": FILE_ID, "filePath": UPLOAD_KEY, "userId": "ada"}),
        ]

    def by_rq(self) -> list[NewJob]:
        """A push, and a push with an invalid payload."""
        return [
            NewJob(*PUSH, {"userId": "grace", "payload": self.to_grace}),
            NewJob(*PUSH, {"userId": "grace", "payload": NO_TITLE}),
        ]
