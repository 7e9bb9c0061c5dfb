"""A push that fails temporarily, again and again: real jobs on a real wire, over fakes of push."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from processors.push.delivery import Kind
from processors.push.payload import FollowUpPayload, PushPayload
from processors.push.processor import PushFollowUp, PushNotification
from queue_lib.broker.bullmq.broker import BullMQBroker
from queue_lib.broker.rq.broker import RQBroker
from tests.support.fakes import FakeContext
from tests.support.push_fakes import FakeSender, FakeSubscriptions, make_dependencies
from tests.support.showcase import PUSH, PUSHES, claim, working

if TYPE_CHECKING:
    from processors.push.result import PushResult
    from queue_lib.broker.base import Lease
    from tests.support.wires import Mess


async def chain(mess: Mess, wire: str) -> list[str]:
    """Enqueue a push, and run it and its follow-up without success; returns the ids of the three jobs in turn."""
    dependencies = make_dependencies(FakeSubscriptions(1), FakeSender({0: Kind.TRANSIENT}))
    data = PUSH | {"userId": "1"}
    if wire == "rq":
        ids = mess.rq("push-notification", data, queue=PUSHES.name)
    else:
        ids = await mess.bullmq("push-notification", data, queue=PUSHES.name)
    async with working(mess, RQBroker if wire == "rq" else BullMQBroker) as broker:
        lease = await claim(broker, PUSHES)
        first = FakeContext(lease.job)
        ids += await _end(
            lease, first, await PushNotification(dependencies)(PushPayload.model_validate(lease.job.data), first)
        )
        lease = await claim(broker, PUSHES)
        later = FakeContext(lease.job)
        ids += await _end(
            lease, later, await PushFollowUp(dependencies)(FollowUpPayload.model_validate(lease.job.data), later)
        )
    return ids


async def _end(lease: Lease, context: FakeContext, result: PushResult) -> list[str]:
    """Complete the job, and add its follow-ups, due at once; returns their ids."""
    for follow_up in context.enqueued.values():
        await lease.enqueue(lease.job.queue, replace(follow_up, delay=0.0))
    await lease.done(result.model_dump(mode="json", by_alias=True))
    return list(context.enqueued)
