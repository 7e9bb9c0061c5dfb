"""Notifications of several events become one, over fakes."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from processors.notifications.payload import NotificationPayload, NotificationResult
from queue_lib.broker.board import MemoryBoard
from queue_lib.errors import SnoozeError
from tests.support.fakes import FakeContext, make_job
from tests.support.notification_fakes import World

COLLAPSE = {"key": "general", "window": 60, "template": "{{count}} new messages"}
BOTH = ["in-app", "push"]


class Line:
    """A queue over fakes: each job keeps its context, and one that is put off runs again when it is due."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.board = MemoryBoard(lambda: self.now)
        self.world = World()
        self.contexts: dict[int, FakeContext] = {}

    async def run(self, n: int, **fields: Any) -> NotificationResult | float:
        """The result of job n, or for how many seconds it is put off."""
        job = make_job(id=str(n), name="user-notification", queue="notifications", created_at=self.now)
        self.world.context = self.contexts.setdefault(n, FakeContext(job, self.board))
        data = {"title": "General", "body": f"message {n}", "url": f"/m/{n}", "collapse": COLLAPSE, **fields}
        try:
            return await self.world.run(**data)
        except SnoozeError as pause:
            return pause.delay

    @property
    def rows(self) -> list[tuple[str, str, str | None]]:
        """Title, body and URL of each row."""
        return [(row.title, row.body, row.url) for _, row in self.world.notifications.rows.values()]


async def test_several_events_become_one_row_and_one_push() -> None:
    """The first job waits and tells of all, with the newest texts and the template; the others are done at once."""
    line = Line()
    assert 60 == await line.run(1, channels=BOTH)
    others = [await line.run(n, channels=BOTH) for n in (2, 3)]
    assert [NotificationResult(collapsed=0)] * 2 == others
    line.now += 60
    result = await line.run(1, channels=BOTH)

    assert isinstance(result, NotificationResult)
    assert (3, 1) == (result.collapsed, result.created)
    assert [("General", "3 new messages", "/m/3")] == line.rows
    [added] = line.contexts[1].enqueued.values()
    assert "3 new messages" == added.data["payload"]["body"]
    assert (1, 0, 0) == tuple(len(line.contexts[n].board.published) if n == 1 else 0 for n in (1, 2, 3))


async def test_events_are_apart() -> None:
    """By user, key, type, and how the user is told. A single event is told as itself."""
    line = Line()
    jobs: dict[int, dict[str, Any]] = {
        1: {},
        2: {"userId": "bob"},
        3: {"collapse": COLLAPSE | {"key": "hall"}},
        4: {"type": "warning"},
        5: {"channels": BOTH},
    }
    assert [60] * 5 == [await line.run(n, **fields) for n, fields in jobs.items()]
    line.now += 60
    for n, fields in jobs.items():
        await line.run(n, **fields)

    assert [f"message {n}" for n in jobs] == [body for _, body, _ in line.rows]


async def test_cancelled_events_do_not_count() -> None:
    """An event after the call counts: the cancel key may name a conversation that goes on."""
    line = Line()
    await line.run(1, cancelKey="room")
    line.now += 1
    await line.board.cancel("room", 3600)
    line.now += 1
    await line.run(2, cancelKey="room")
    line.now += 58
    result = await line.run(1, cancelKey="room")
    assert isinstance(result, NotificationResult)
    assert (1, False) == (result.collapsed, result.cancelled)
    assert ["message 2"] == [body for _, body, _ in line.rows]

    await line.run(3, cancelKey="room")
    line.now += 1
    await line.board.cancel("room", 3600)
    line.now += 59
    assert NotificationResult(collapsed=0, cancelled=True) == await line.run(3, cancelKey="room")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"userIds": ["ada"]}, "collapse is for one userId"),
        ({"userId": "ada", "collapse": COLLAPSE | {"template": {"userId": "eve"}}}, "template: userId: it may have"),
        ({"userId": "ada", "collapse": COLLAPSE | {"template": {"url": "javascript:1"}}}, "makes no notification: url"),
    ],
)
def test_a_wrong_collapse_is_refused(fields: dict[str, Any], reason: str) -> None:
    """When the job is added by the API, and before an event is lost in a gathering."""
    with pytest.raises(ValidationError, match=reason):
        NotificationPayload.model_validate({"title": "General", "collapse": COLLAPSE, **fields})
