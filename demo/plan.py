"""The jobs of the demo."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Self

from demo.app import FILE_ID, UPLOAD_KEY
from demo.producers import NewJob

PUSH = "push-notifications", "push-notification"
IMAGE = "file-processing", "process-image"
MAIL = "email", "password_reset"
NO_TITLE = {"body": "a payload without a title"}


@dataclass(frozen=True)
class Plan:
    """The notifications and the mail. Their tickets are random: none of an earlier run can pass for one of this."""

    to_ada: dict[str, str]
    to_grace: dict[str, str]
    mail: dict[str, str]

    @classmethod
    def draw(cls) -> Self:
        """A plan with new tickets."""
        return cls(
            {"title": "Hello Ada", "body": f"this came by BullMQ, ticket {secrets.token_hex(3)}", "url": "/chat/1"},
            {"title": "Hello Grace", "body": f"this came by RQ, ticket {secrets.token_hex(3)}", "url": "/chat/2"},
            {
                "to": "Ada <ada@example.com>",
                "subject": f"Your new password, ticket {secrets.token_hex(3)}",
                "html": "<p>Choose it <a href='https://app.example/reset/4711'>here</a>.</p>",
            },
        )

    def by_bullmq(self) -> list[NewJob]:
        """A push to a user with two devices, one of them gone, an image, and a mail."""
        return [
            NewJob(*PUSH, {"userId": "ada", "payload": self.to_ada}),
            NewJob(*IMAGE, {"fileId": FILE_ID, "filePath": UPLOAD_KEY, "userId": "ada"}),
            NewJob(*MAIL, self.mail),
        ]

    def by_rq(self) -> list[NewJob]:
        """A push, and a push with an invalid payload."""
        return [
            NewJob(*PUSH, {"userId": "grace", "payload": self.to_grace}),
            NewJob(*PUSH, {"userId": "grace", "payload": NO_TITLE}),
        ]
