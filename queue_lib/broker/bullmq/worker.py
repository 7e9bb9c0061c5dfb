"""The package's Worker, without its loop.

The loop is left out because it does not honour its own limiter (bullmq pull request 3321), rounds delays up to
seconds, stops renewing locks while jobs are running at close, and waits for ever when Redis is away. What it is
made of (claiming, schedulers, the scripts) is used as it stands.
"""

from __future__ import annotations

import contextlib
import math
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgpack
import structlog
from bullmq import Worker
from bullmq.backends import RedisBackend
from bullmq.error_code import ErrorCode
from bullmq.scripts import Scripts, raw2NextJobData

from queue_lib.broker.bullmq.library import OPTIONS_OF_FINISH, Connection, script
from queue_lib.broker.bullmq.parse import MALFORMED
from queue_lib.broker.bullmq.schedulers import Scheduler, find_stopped
from queue_lib.broker.trouble import describe, outages_translated
from queue_lib.errors import BrokerRefusedError, LeaseLostError, PermanentError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import redis.asyncio

    from queue_lib.queues import Queue

METRICS_MINUTES = 7 * 24 * 60  # kept for `queue.getMetrics()` and the dashboards' charts
# A repeatable job of bullmq 5 has its data in its last job alone; so does bullmq 5's own script keep it.
KEEP_DATA_OF_REPEATABLES = (
    "local templateData = schedulerAttributes[2]\n",
    """local templateData = schedulerAttributes[2] or ARGV[3]
            if templateData ~= '{}' then rcall('HSET', schedulerKey, 'data', templateData) end
""",
)
# The package's function that deletes a job, for the scripts around its own.
REMOVE_JOB = ("local function removeJob(", "function removeJob(")
HERE = Path(__file__).parent
FEWEST = 0x80  # the first byte of a packed map without entries; up to 15 are counted in it
PAGE_OF_RETENTION = 500  # jobs looked at in one step


class NamedScripts(Scripts):  # type: ignore[misc]  # the package has no types
    """The package's scripts, plus what it lacks: the worker's name on a job, giving one back, and finding our own."""

    async def moveToActive(self, token: str, opts: dict[str, Any]) -> list[Any]:  # noqa: N802 -- the package's name
        """Claim the next job; as in Node, `processedBy` is set to the worker's name."""
        keys = ["wait", "active", "prioritized", "events", "stalled", "limiter", "delayed", "paused", "meta", "pc"]
        packed = msgpack.packb({key: opts[key] for key in ("lockDuration", "limiter", "name")} | {"token": token})
        result = await self.commands["moveToActive"](
            keys=self.getKeys([*keys, "marker"]), args=[self.keys[""], round(time.time() * 1000), packed]
        )
        return list(raw2NextJobData(result))

    def moveToFinishedArgs(self, job: Any, *args: Any, **kwargs: Any) -> tuple[list[str], list[Any]]:  # noqa: N802
        """Finish a job; the next one, if one is fetched with it, gets the worker's name, too."""
        keys, arguments = super().moveToFinishedArgs(job, *args, **kwargs)
        arguments[OPTIONS_OF_FINISH - 1] = named(arguments[OPTIONS_OF_FINISH - 1], job.queue.opts["name"])
        return keys, arguments

    def finishedErrors(self, opts: dict[str, Any]) -> Exception:  # noqa: N802
        """The exception for a script's error code. The package has a bare TypeError for nearly all of them."""
        text = str(super().finishedErrors(opts))
        code = opts["code"]
        if code == ErrorCode.JobPendingDependencies.value:
            return TransientError(text)  # a parent that was given another child while it ran
        if code == ErrorCode.JobHasFailedChildren.value:
            return PermanentError(text)
        return LeaseLostError(text)

    async def give_back(self, job_id: str, token: str) -> None:
        """Move an active job back to the front of the line; no attempt is counted."""
        names = ["active", "wait", "stalled", "paused", "meta", "limiter", "prioritized", "marker", "events"]
        code = await self.commands["moveJobFromActiveToWait"](
            keys=self.getKeys(names), args=[job_id, token, self.toKey(job_id)]
        )
        if code < 0:
            raise self.finishedErrors({"code": code, "jobId": job_id, "command": "give_back", "state": "active"})

    async def retain(self, state: str, option: str, age: float) -> None:
        """Delete the completed or failed jobs that are past their own time, or `age` seconds old if they set none."""
        keys = [self.toKey("retained:doomed"), *self.getKeys(["events", "repeat", state])]
        rank: int | None = 0
        while rank is not None:
            now = round(time.time() * 1000)
            args = [self.keys[""], now, 0, state, option, age, rank, PAGE_OF_RETENTION]
            rank = await self.commands["retain"](keys=keys, args=args)

    async def active_under(self, tokens: str) -> list[tuple[str, str]]:
        """The id and token of each active job whose token begins so."""
        found = await self.commands["strays"](keys=self.getKeys(["active"]), args=[self.keys[""], tokens])
        return list(zip(found[::2], found[1::2], strict=True))


class LoopLessWorker(Worker):  # type: ignore[misc]
    """A Worker that never runs by itself: the runner drives it."""

    scripts: NamedScripts

    def __init__(self, queue: Queue, prefix: str, lease_seconds: float, name: str, client: redis.asyncio.Redis) -> None:
        """Serve `queue` over `client`, which decodes replies and is shared by all queues."""
        limiter = {"max": queue.rate_max, "duration": max(1, round(queue.rate_duration * 1000))}
        super().__init__(
            queue.name,
            None,
            {
                "connection": client,
                "prefix": prefix,
                "name": name,
                "lockDuration": math.ceil(lease_seconds * 1000),
                "limiter": limiter if queue.rate_max else None,
                "metrics": {"maxDataPoints": METRICS_MINUTES},
                "autorun": False,
            },
        )
        connection = Connection(client)
        for command, text in _scripts().items():
            connection.commands[command] = client.register_script(text)
        self.backend = RedisBackend(queue.name, connection, None, prefix, owns_connection=False)
        self.scripts = self.backend.scripts = NamedScripts(prefix, queue.name, connection)
        self._job_scheduler = Scheduler(self)
        self._told_stopped: set[str] = set()  # schedulers whose stop is in the log

    async def schedule_next(self, job: Any) -> None:
        """Add the next job of the scheduler that `job` came from. Raises BrokerUnavailableError.

        The package would try for ever, in steps of 15 seconds, while the claimed job waits and its lock runs out.
        """
        with self._stop_told(job.repeatJobKey):  # another worker has added it, or the scheduler is gone or unreadable
            await self._scheduleNextIteration(job)

    async def go_on_with_schedulers(self) -> None:
        """Add the next job of each scheduler that has stopped, where that is any use. Raises BrokerUnavailableError."""
        with outages_translated():
            stopped = await find_stopped(self)
        for scheduler, again in stopped:
            if again is None:
                self._tell_stopped(scheduler.id, scheduler.reason)
            else:
                with self._stop_told(scheduler.id):
                    await self.jobScheduler.upsertJobScheduler(**again)

    @contextlib.contextmanager
    def _stop_told(self, scheduler_id: str) -> Iterator[None]:
        try:
            with outages_translated():
                yield
        except (BrokerRefusedError, LeaseLostError, *MALFORMED) as error:
            self._tell_stopped(scheduler_id, describe(error))
        else:
            self._told_stopped.discard(scheduler_id)

    def _tell_stopped(self, scheduler_id: str, reason: str) -> None:
        if scheduler_id not in self._told_stopped:
            self._told_stopped.add(scheduler_id)
            structlog.get_logger().warning(
                "scheduler_stopped", queue=self.name, scheduler=scheduler_id[:200], reason=reason
            )


def named(packed: bytes, name: str) -> bytes:
    """Packed options with the worker's name behind them: their first byte says how many there are, 14 at most."""
    if not FEWEST <= packed[0] < FEWEST + 15:
        return bytes(msgpack.packb(msgpack.unpackb(packed) | {"name": name}))
    return bytes((packed[0] + 1,)) + packed[1:] + _packed_name(name)


@cache
def _packed_name(name: str) -> bytes:
    return bytes(msgpack.packb("name") + msgpack.packb(name))


def _scripts() -> dict[str, str]:
    """Our own scripts, and those of the package that are wrapped in ours."""
    update = script("updateJobScheduler-12.lua").replace(*KEEP_DATA_OF_REPEATABLES)
    follow = _own("follow.lua").replace("UPDATE", update)
    return {
        "moveToActive": _around("claim.lua", "moveToActive-11.lua").replace("FOLLOW", follow),
        "moveToFinished": _around("finish.lua", "moveToFinished-14.lua").replace(*REMOVE_JOB).replace("FOLLOW", follow),
        "retain": _around("retain.lua", "cleanJobsInSet-3.lua"),
        "updateJobScheduler": update,
        "strays": _own("strays.lua"),
    }


def _own(file: str) -> str:
    return (HERE / file).read_text()


def _around(ours: str, packages: str) -> str:
    return _own(ours).replace("PACKAGE", script(packages))
