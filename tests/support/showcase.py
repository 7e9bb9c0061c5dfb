"""Queues with content to show: jobs of both wires in every state, an hour's history, and two workers."""

from __future__ import annotations

import math
import time
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from queue_lib.admin.bullmq.schedules import BullMQSchedules
from queue_lib.broker.base import NotNow, Setup
from queue_lib.broker.bullmq.broker import BullMQBroker
from queue_lib.broker.bullmq.dead_letters import BullMQDeadLetters
from queue_lib.broker.bullmq.library import SharedQueue
from queue_lib.broker.bullmq.own_schedules import add_schedule, keep_schedules
from queue_lib.broker.connection import client, options
from queue_lib.broker.dead_letters import DeadLetter
from queue_lib.broker.heartbeats import RedisHeartbeats
from queue_lib.broker.rq.broker import RQBroker
from queue_lib.job import Wire
from queue_lib.observe.worker_stats import BOUNDS, MINUTE, RunningJob, WorkerView, bucket
from queue_lib.outcome import Failure
from queue_lib.schedule import TEAM, Schedule
from tests.support.queues import QUEUES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from queue_lib.broker.base import Broker, Lease
    from queue_lib.queues import Queue
    from tests.support.wires import Mess

PUSHES, FILES = (replace(queue, rate_max=0) for queue in QUEUES[:2])
STACK = """Traceback (most recent call last):
  File "/app/processors/media/process_image.py", line 43, in __call__
    async with opened_upload(self._dependencies, payload, context, MAX_UPLOAD) as run:
  File "/app/processors/media/job_steps.py", line 95, in opened_upload
    raise PermanentError("nothing is stored under its filePath")
queue_lib.errors.PermanentError: nothing is stored under its filePath"""
IMAGE = {"fileId": "cm1x8k2p", "filePath": "uploads/holiday.jpg", "userId": "user-1"}
PUSH = {"userId": "user-1", "payload": {"title": "Ada", "body": "Are you there?", "url": "/chat/7"}}


async def fill(mess: Mess, *, jobs: int = 40, dead: int = 2) -> None:
    """Fill the empty Redis; each wire has `dead` jobs that failed for good."""
    for queue, name, data in ((PUSHES, "push-notification", PUSH), (FILES, "process-image", IMAGE)):
        await mess.bullmq(name, *[data] * (jobs + dead), queue=queue.name, attempts=3)
        mess.rq(name, *[data] * (jobs // 2 + dead), queue=queue.name)
        await mess.bullmq(name, *[data] * 3, queue=queue.name, delay=3_600_000)
    for make in (BullMQBroker, RQBroker):
        async with working(mess, make) as broker:
            await _work(broker, PUSHES, done=9)
            await bury(mess, broker, dead)
            await _work(broker, FILES, done=6)
    await tell(mess)


async def schedule(mess: Mess, *, broken: bool = True) -> None:
    """Three schedules: one of the team's, one of the app's that is paused, and, if `broken`, one that has stopped."""
    connection = client(options(mess.url), decode=True, name="showcase")
    source = SharedQueue(FILES.name, connection, "bull")
    nightly = Schedule("nightly", "process-image", IMAGE, cron="0 3 * * *", tz="Europe/Berlin")
    await keep_schedules(source, {"pushmill:nightly": nightly}, {TEAM})
    await add_schedule(source, "weekly", Schedule("weekly", "process-image", IMAGE, cron="0 9 * * 1"))
    await BullMQSchedules(lambda _: source).pause(FILES.name, "weekly")
    if broken:
        await connection.zadd(source.toKey("repeat"), {"mondays": time.time() * 1000 - 90_000_000})
        stopped: dict[Any, Any] = {"name": "process-image", "ic": 7, "pattern": "0 9 * * 8", "tz": "Europe/Berlin"}
        await connection.hset(source.toKey("repeat:mondays"), mapping=stopped)
    last = f"completed {time.time() * 1000 - 7_200_000:.0f} repeat:pushmill:nightly:1"
    await connection.hset(source.toKey("schedules:last"), "pushmill:nightly", last)
    await connection.aclose()


@asynccontextmanager
async def working(mess: Mess, make: type[BullMQBroker | RQBroker] = BullMQBroker) -> AsyncIterator[Broker]:
    """A broker that claims and settles jobs as a worker does."""
    setup = Setup(
        redis=options(mess.url), prefix="bull", lease_duration=30.0, worker_name="worker-1", observe=lambda _: None
    )
    broker: Broker = make((PUSHES, FILES), setup)
    await broker.start()
    yield broker
    await broker.close()


async def bury(mess: Mess, broker: Broker, count: int, stack: str = STACK) -> list[str]:
    """Let the next `count` image jobs fail for good; returns their ids."""
    letters = BullMQDeadLetters(client(options(mess.url), decode=True, name="showcase"), "bull")
    leases = [await claim(broker, FILES) for _ in range(count)]
    for lease in leases:
        failure = Failure("nothing is stored under its filePath", stack)
        await lease.bury(failure)
        await letters.add(DeadLetter(job=lease.job, failure=failure, failed_at=time.time()))
    await letters.close()
    return [lease.job.id for lease in leases]


async def _work(broker: Broker, queue: Queue, *, done: int) -> None:
    """Settle some jobs, and leave one that runs."""
    leases = [await claim(broker, queue) for _ in range(done + 2)]
    for lease in leases[:done]:
        await lease.done({"sent": 1, "failed": 0})
    await leases[-2].retry(900.0, Failure("S3 answered 503", STACK))
    await leases[-1].progress(62)
    await leases[-1].log("decoded 4032 x 3024, JPEG")
    await leases[-1].log("compressed to 1600 x 1200")


async def claim(broker: Broker, queue: Queue) -> Lease:
    """The next job of a queue, which must have one."""
    found = await broker.claim(queue)
    assert not isinstance(found, NotNow)
    return found


async def tell(mess: Mess, *, anew: bool = False) -> None:
    """Write the heartbeats that workers would have sent in the last hour; `anew` one more, with nothing counted."""
    connection = client(options(mess.url), decode=True, name="showcase")
    heartbeats, now = RedisHeartbeats(connection, "bull"), int(time.time() // MINUTE)
    counts = {
        (queue.name, now - ago): _minute(ago, size, name)
        for queue, size, name in ((PUSHES, 84, "push-notification"), (FILES, 9, "process-image"))
        for ago in range(59)
    }
    for number, host in enumerate(("worker-1.dyno", "worker-2.dyno")):
        worker = WorkerView(
            name=f"{host}-4f1c2a9{number}",
            host=host,
            pid=4,
            started_at=time.time() - 7200,
            memory=(171 + 88 * number) * 1024 * 1024,
            queues=(PUSHES.name, FILES.name),
            wires=(Wire.BULLMQ, Wire.RQ),
            running=_running() if number else (),
        )
        await heartbeats.send(worker, {} if number or anew else counts)
    await connection.aclose()


def _running() -> Sequence[RunningJob]:
    common: dict[str, Any] = {"queue": FILES.name, "name": "process-image", "attempt": 1, "since": time.time() - 3}
    return (RunningJob(wire=Wire.BULLMQ, id="9", **common),)


def _minute(ago: int, size: int, name: str) -> Counter[str]:
    """One minute's counts: they vary, with a bad quarter of an hour."""
    done = max(round(size * (0.7 + 0.3 * math.sin(ago / 7)) - (ago * 5) % 7), 0)
    bad = 30 < ago < 44
    wait = (0.09 + 0.04 * math.sin(ago / 5)) * (9 if bad else 1)
    ended = {"done": done, "retried": size // 9 if bad else 0, "dead": size // 20 if 34 < ago < 38 else 0}
    return Counter({
        **ended,
        **{f"{what} {name}": count for what, count in ended.items()},
        f"run:{bucket(wait * 20)} {name}": done,
        f"wait:{bucket(wait)}": done,
        f"wait:{min(bucket(wait * 6), len(BOUNDS))}": done // 8,
    })  # fmt: skip
