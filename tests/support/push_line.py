"""A queue of pushes that become one, over fakes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from processors.push.payload import PushPayload
from processors.push.processor import PushNotification
from queue_lib.broker.board import MemoryBoard
from queue_lib.errors import SnoozeError
from tests.support.fakes import FakeContext, make_job
from tests.support.push_fakes import Clock, FakeSender, FakeSubscriptions, make_dependencies, make_row

if TYPE_CHECKING:
    from processors.push.result import PushResult
    from tests.support.push_fakes import FakePreferences

COLLAPSE = {"key": "general", "window": 60, "template": "{{count}} new messages in General"}


def push(
    n: int, user: str = "1", cancel_key: str | None = None, options: dict[str, Any] | None = None, **collapse: Any
) -> PushPayload:
    """The push for message n, with further options."""
    return PushPayload.model_validate(
        {
            "userId": user,
            "payload": {"title": "General", "body": f"message {n}", "url": f"/m/{n}"},
            "options": {"collapse": COLLAPSE | collapse, "cancelKey": cancel_key, **(options or {})},
        }
    )


class Line:
    """A queue over fakes: each job keeps its context, and one that is put off runs again when it is due."""

    def __init__(self, script: Any = None, preferences: FakePreferences | None = None) -> None:
        """Users 1 and 2 have a device each."""
        self.clock = Clock()
        self.board = MemoryBoard(self.clock)
        self.sender = FakeSender(script)
        self.sent: list[dict[str, Any]] = []
        rows = FakeSubscriptions([make_row(1, user_id="1"), make_row(2, user_id="2")])
        self.dependencies = make_dependencies(rows, self.sender, self.clock, preferences)
        self.processor = PushNotification(self.dependencies)
        self.contexts: dict[int, FakeContext] = {}
        send = self.sender.send

        async def keep(subscription: Any, message: Any) -> Any:
            self.sent.append(json.loads(message.body))
            return await send(subscription, message)

        self.sender.send = keep  # type: ignore[method-assign]

    def context(self, n: int) -> FakeContext:
        """The context of job n, which is added now."""
        job = make_job(id=str(n), created_at=self.clock.now)
        return self.contexts.setdefault(n, FakeContext(job, self.board))

    async def run(self, n: int, payload: PushPayload | None = None) -> PushResult | float:
        """The result of job n, or for how many seconds it is put off."""
        context = self.context(n)
        try:
            return await self.processor(payload or push(n), context)
        except SnoozeError as pause:
            return pause.delay
