"""A round of the outbox goes to Redis in portions."""

from __future__ import annotations

from processors.outbox.bridging import Bridging
from processors.outbox.metrics import OutboxMetrics
from processors.outbox.pace import Pace
from processors.outbox.publisher import PORTION, Publisher
from queue_lib.bridge import AppEvent, Bridge
from queue_lib.broker.bullmq.post import BullMQPost
from queue_lib.broker.connection import options
from tests.support.outbox_fakes import ADMISSION, FakeOutbox, row


async def test_a_portion_is_made_while_redis_adds_the_last(redis_url: str) -> None:
    """One after the other took a fifth more time."""
    post = BullMQPost(options(redis_url), "bull", "test")
    adds: list[bool] = []

    def data(event: AppEvent) -> dict[str, str]:
        adds.append(bool(post._client._under_way))  # type: ignore[attr-defined]  # what was sent, and is not answered
        return {"id": event.id}

    outbox = FakeOutbox([row(0)])  # a round connects
    bridging = Bridging([Bridge("*", "count", data)], ADMISSION, "epop", post.pack)
    publisher = Publisher(outbox, post, bridging, "epop", Pace(), OutboxMetrics())
    await publisher.turn()
    outbox.rows += [row(number) for number in range(1, 2 * PORTION + 1)]
    await publisher.turn()
    await post.close()

    assert [False] * (1 + PORTION) + [True] * PORTION == adds
    assert len(outbox.published) == 1 + 2 * PORTION
