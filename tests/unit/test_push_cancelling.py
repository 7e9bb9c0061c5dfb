"""Messages that were taken back by their cancel key, over fakes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from processors.push import batch as batch_module
from processors.push.batch import PushBatch
from processors.push.delivery import Kind
from processors.push.payload import BatchPayload, FollowUpPayload
from processors.push.processor import PushFollowUp, PushNotification
from queue_lib.broker.board import MemoryBoard
from queue_lib.errors import SnoozeError
from tests.support.fakes import FakeContext, make_job
from tests.support.push_fakes import NOW, Clock, FakeSender, FakeSubscriptions, make_dependencies
from tests.support.push_run import job

if TYPE_CHECKING:
    from processors.push.dependencies import PushDependencies

KEY = "message:1"


@pytest.fixture
def clock() -> Clock:
    """The clock of all processes."""
    return Clock()


@pytest.fixture
def context(clock: Clock) -> FakeContext:
    """A job that was added a second ago."""
    return FakeContext(make_job(created_at=NOW - 1), MemoryBoard(clock))


@pytest.mark.parametrize(
    ("key", "sent"),
    [(KEY, 0), (7, 1), (None, 1)],
    ids=["its key", "another key", "none"],
)
async def test_a_cancelled_push_is_not_sent(context: FakeContext, clock: Clock, key: Any, sent: int) -> None:
    """Its job is done, and the result says so. Without a key nothing is asked."""
    await context.board.cancel(KEY, 60)
    sender = FakeSender()

    result = await PushNotification(make_dependencies(FakeSubscriptions(1), sender, clock))(job(cancelKey=key), context)

    assert (sent, sent, sent == 0) == (len(sender.tried), result.sent, result.cancelled)
    assert (key is not None) == context.asked_cancelled


async def test_a_key_is_a_text(context: FakeContext, clock: Clock) -> None:
    """An app may use the number that is its message's id."""
    await context.board.cancel("7", 60)

    result = await PushNotification(make_dependencies(FakeSubscriptions(1), FakeSender(), clock))(
        job(cancelKey=7), context
    )

    assert result.cancelled


async def test_a_job_of_a_later_time_is_sent(clock: Clock) -> None:
    """The key may name a conversation, which goes on after it was read."""
    board = MemoryBoard(clock)
    await board.cancel(KEY, 60)
    dependencies = make_dependencies(FakeSubscriptions(1), FakeSender(), clock)

    result = await PushNotification(dependencies)(
        job(cancelKey=KEY), FakeContext(make_job(created_at=NOW + 0.001), board)
    )

    assert (1, False) == (result.sent, result.cancelled)


async def test_a_follow_up_is_taken_back_with_its_job(context: FakeContext, clock: Clock) -> None:
    """Also one that was added a moment after the call, by a job that was under way."""
    sender = FakeSender({0: Kind.TRANSIENT})
    dependencies = make_dependencies(FakeSubscriptions(1), sender, clock)
    await context.board.cancel(KEY, 3600)  # while it sends
    first = FakeContext(make_job(created_at=NOW - 1), MemoryBoard(clock))
    await PushNotification(dependencies)(job(cancelKey=KEY), first)

    result, _ = await follow_up(dependencies, first, context.board, clock)

    assert (True, 0, 1) == (result.cancelled, result.total, len(sender.tried))


async def test_a_follow_up_of_a_follow_up_is_taken_back_as_well(context: FakeContext, clock: Clock) -> None:
    """Each one hands the time of the first job on."""
    dependencies = make_dependencies(FakeSubscriptions(1), FakeSender({0: Kind.TRANSIENT}), clock)
    await PushNotification(dependencies)(job(cancelKey=KEY), context)
    _, second = await follow_up(dependencies, context, MemoryBoard(clock), clock)
    board = MemoryBoard(clock)
    clock.now = NOW
    await board.cancel(KEY, 3600)

    result, _ = await follow_up(dependencies, second, board, clock)

    assert result.cancelled


async def follow_up(
    dependencies: PushDependencies, before: FakeContext, board: MemoryBoard, clock: Clock
) -> tuple[Any, FakeContext]:
    """Run the follow-up that a job has added, when it is due."""
    [added] = before.enqueued.values()
    clock.now += added.delay
    payload = FollowUpPayload.model_validate(json.loads(json.dumps(added.data)))
    context = FakeContext(make_job(id=added.job_id, created_at=clock.now), board)
    return await PushFollowUp(dependencies)(payload, context), context


async def test_a_batch_looks_again_at_each_page(
    context: FakeContext, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was sent before counts in the result; another run sends no more."""
    monkeypatch.setattr(batch_module, "PAGE", 10)
    sender = FakeSender()
    rows = FakeSubscriptions(200)
    batch = BatchPayload.model_validate({"all": True, "payload": {"title": "t"}, "options": {"cancelKey": KEY}})

    async def send(subscription: Any, message: Any) -> Any:
        if len(sender.tried) == 15:
            await context.board.cancel(KEY, 60)
        return await FakeSender.send(sender, subscription, message)

    dependencies = make_dependencies(rows, sender, clock)
    sender.send = send  # type: ignore[method-assign]
    result = await PushBatch(dependencies)(batch, context)

    assert result.cancelled
    assert 15 < result.sent == len(sender.tried) < len(rows.rows)
    assert result == await PushBatch(dependencies)(batch, context)


async def test_a_push_that_waits_is_taken_back_when_it_is_due(context: FakeContext, clock: Clock) -> None:
    """`notBefore` puts it off, and then it is not sent."""
    push = job(cancelKey=KEY, notBefore=int((NOW + 10) * 1000))
    processor = PushNotification(make_dependencies(FakeSubscriptions(1), FakeSender(), clock))
    with pytest.raises(SnoozeError):
        await processor(push, context)
    await context.board.cancel(KEY, 60)
    clock.now += 10

    assert (await processor(push, context)).cancelled
