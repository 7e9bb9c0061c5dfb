"""A run of a push job over fakes, and its counts."""

from __future__ import annotations

from typing import Any

from processors.push.payload import PushPayload
from processors.push.processor import PushNotification
from tests.support.fakes import FakeContext
from tests.support.push_fakes import Clock, FakeSender, FakeSubscriptions, make_dependencies

COUNTS = ("sent", "failed", "pruned", "retrying", "skipped", "total")


def job(user_id: int = 1, **options: Any) -> PushPayload:
    """A payload for user 1, or another one."""
    return PushPayload.model_validate({"userId": user_id, "payload": {"title": "t", "body": "b"}, "options": options})


async def run(
    subscriptions: FakeSubscriptions | int,
    sender: FakeSender,
    context: FakeContext | None = None,
    payload: PushPayload | None = None,
    clock: Clock | None = None,
) -> tuple[int, ...]:
    """Run a job; returns the counts of its result, which include expired messages."""
    rows = FakeSubscriptions(subscriptions) if isinstance(subscriptions, int) else subscriptions
    dependencies = make_dependencies(rows, sender, clock)
    result = await PushNotification(dependencies)(payload or job(), context or FakeContext())
    counts = tuple(getattr(result, name) for name in COUNTS)
    assert sum(counts[:-1]) + result.expired == counts[-1]
    return counts
