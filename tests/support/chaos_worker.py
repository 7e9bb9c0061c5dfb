"""A worker like worker.py, on the same queues and wires, whose jobs only last, fail, block or resist.

It tests what the queue itself promises, without pushes and images. Every start and end of a job is a line in the
file CHAOS_RECORD, which outlives the process and any Redis.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path  # noqa: TC003 -- pydantic reads it
from typing import TYPE_CHECKING, Any

from pydantic_settings import BaseSettings

from queue_lib import serving, wiring
from queue_lib.chore import Chore
from queue_lib.errors import ConfigurationError, PermanentError, SnoozeError, TransientError
from queue_lib.feature import Feature, Opened
from queue_lib.observe import log
from queue_lib.processor import JobSchema, Model
from queue_lib.runner.process import Stop, run, serve
from queue_lib.runner.processes import run_all
from tests.support.queues import QUEUES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from queue_lib.feature import Served
    from queue_lib.processor import Context, Processor
    from queue_lib.runner.launcher import Launcher

PUSHES, FILES = "push-notifications", "file-processing"


class ChaosSettings(BaseSettings):
    """`chaos_record` is the file; with `chaos_break` a chore ends its loop that many seconds after the start."""

    chaos_record: Path
    chaos_break: float | None = None


class Task(Model):
    """What a job does. `seconds`: how long its first, second, ... run lasts; the last number repeats."""

    seconds: tuple[float, ...] = (0.0,)
    message: str = "no such user"


class Chaos:
    """The jobs."""

    def __init__(self, record: Path) -> None:
        """Append to `record`."""
        self._record = record

    def processors(self) -> dict[str, Processor[Task]]:
        """One processor a job."""
        return {
            "nap": self.nap,
            "block": self.block,
            "stubborn": self.stubborn,
            "crash": self.crash,
            "fail": self.fail,
            "fail-for-good": self.fail_for_good,
            "flaky": self.flaky,
            "snooze": self.snooze,
            "report": self.report,
            "gather": self.gather,
            "file-nap": self.nap,
            "file-fail": self.fail_for_good,
        }

    def _write(self, event: str, context: Context) -> None:
        job = context.job
        line = {"event": event, "id": job.id, "name": job.name, "wire": job.wire.value, "attempt": job.attempt}
        with self._record.open("a") as file:
            file.write(json.dumps({**line, "at": time.time(), "pid": os.getpid()}) + "\n")  # one write: one line

    def _begin(self, task: Task, context: Context) -> float:
        """Record the start; returns how long this run is to last."""
        before = 0
        if len(task.seconds) > 1:
            before = sum((line["id"], line["event"]) == (context.job.id, "start") for line in read(self._record))
        self._write("start", context)
        return task.seconds[min(before, len(task.seconds) - 1)]

    async def nap(self, task: Task, context: Context) -> dict[str, Any]:
        """Sleep, and return the data."""
        await asyncio.sleep(self._begin(task, context))
        self._write("end", context)
        return {"data": context.job.data}

    async def gather(self, task: Task, context: Context) -> dict[str, Any]:
        """Return how its children have ended."""
        self._begin(task, context)
        children = await context.children()
        return {"results": children.results, "failures": children.failures}

    async def block(self, task: Task, context: Context) -> None:
        """Sleep without awaiting, so that the loop stops."""
        time.sleep(self._begin(task, context))  # noqa: ASYNC251 -- the fault that is tested
        self._write("end", context)

    async def stubborn(self, task: Task, context: Context) -> None:
        """Sleep, and swallow every cancellation."""
        until = time.monotonic() + self._begin(task, context)
        while (left := until - time.monotonic()) > 0:
            try:
                await asyncio.sleep(left)
            except asyncio.CancelledError:
                continue
        self._write("end", context)

    async def crash(self, task: Task, context: Context) -> None:
        """End the process."""
        self._begin(task, context)
        os.kill(os.getpid(), signal.SIGKILL)

    async def fail(self, task: Task, context: Context) -> None:
        """Fail as a busy server does."""
        self._begin(task, context)
        raise TransientError(task.message)

    async def flaky(self, task: Task, context: Context) -> dict[str, Any]:
        """Fail at the first attempt only."""
        self._begin(task, context)
        if context.job.attempt == 1:
            raise TransientError(task.message)
        self._write("end", context)
        return {"attempt": context.job.attempt}

    async def fail_for_good(self, task: Task, context: Context) -> None:
        """Fail as a bad input does."""
        self._begin(task, context)
        raise PermanentError(task.message)

    async def snooze(self, task: Task, context: Context) -> dict[str, Any]:
        """Ask for another run in so many seconds, until that is 0."""
        seconds = self._begin(task, context)
        if seconds > 0:
            raise SnoozeError(task.message, seconds)
        return {"attempt": context.job.attempt}

    async def report(self, task: Task, context: Context) -> dict[str, Any]:
        """Report progress twice, and a line for the log."""
        seconds = self._begin(task, context)
        await context.progress(50)
        await context.log("half way")
        await asyncio.sleep(seconds)
        await context.progress({"done": 2, "of": 2})
        return {"reports": 2}


def read(record: Path) -> list[dict[str, Any]]:
    """The lines of a record, without one that is being written."""
    text = record.read_text() if record.exists() else ""
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def broken(launcher: Launcher, after: float) -> Launcher:
    """The launcher with a chore that ends by itself, as a bug would."""

    async def end() -> None:
        await asyncio.sleep(after)
        msg = "nobody thought of this"
        raise RuntimeError(msg)

    launcher._brokers[-1].chores = lambda: [Chore("break", 1.0, end)]  # type: ignore[method-assign]
    return launcher


@asynccontextmanager
async def opened(served: Served, _: None) -> AsyncIterator[Opened]:
    """The processors, over the record."""
    yield Opened(processors=Chaos(served.of(ChaosSettings).chaos_record).processors())


NAMES = ("nap", "block", "stubborn", "crash", "fail", "fail-for-good", "flaky", "snooze", "report", "gather")
CHAOS = Feature(
    name="chaos",
    queues=tuple(replace(queue, needs=()) for queue in QUEUES),
    jobs=(
        *(JobSchema(name, PUSHES, Task) for name in NAMES),
        *(JobSchema(name, FILES, Task) for name in ("file-nap", "file-fail")),
    ),
    settings=(ChaosSettings,),
    open=opened,
)


async def work(served: Served, stop: Stop) -> int:
    """As in worker.py."""
    async with CHAOS.open(served, None) as ready:
        await wiring.preflight(served.worker, asyncio.sleep(0))
        async with wiring.worker(served, [ready], {}) as launcher:
            after = served.of(ChaosSettings).chaos_break
            runner = launcher if after is None else broken(launcher, after)
            return await serve(runner, stop, served.worker.shutdown_grace)


def main() -> None:
    """As in worker.py."""
    try:
        served = serving.choose([CHAOS])
    except ConfigurationError as error:
        sys.exit(str(error))
    log.configure(served.worker.log_level, served.worker.log_format)
    grace = served.worker.shutdown_grace
    run_all([partial(run, partial(work, share), grace) for share in serving.shares(served)])


if __name__ == "__main__":
    main()
