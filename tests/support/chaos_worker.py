"""A worker like worker.py, on the same queues and wires, whose jobs only last, fail, block or resist.

It shows what the queue itself promises, without pushes and pictures. Every start and end of a job is a line in the
file CHAOS_RECORD, which outlives the process and any Redis.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path  # noqa: TC003 -- pydantic reads it
from typing import TYPE_CHECKING, Any

from pydantic_settings import BaseSettings

from queue_lib import wiring
from queue_lib.broker.base import Chore
from queue_lib.errors import ConfigurationError, PermanentError, SnoozeError, TransientError
from queue_lib.observe import log
from queue_lib.processor import Model, Registry, Route
from queue_lib.runner.process import Stop, run, serve
from queue_lib.runner.processes import run_all
from queue_lib.settings import WorkerSettings

if TYPE_CHECKING:
    from queue_lib.processor import Context
    from queue_lib.queues import Queue
    from queue_lib.runner.launcher import Launcher

PUSHES, FILES = "push-notifications", "file-processing"


class ChaosSettings(BaseSettings):
    """`chaos_record` is the file; with `chaos_break` a chore ends its loop that many seconds after the start."""

    chaos_record: Path
    chaos_break: float | None = None


class Task(Model):
    """What a job is to do. `seconds`: how long its first, second, ... run lasts; the last one stands for the rest."""

    seconds: tuple[float, ...] = (0.0,)
    message: str = "no such user"


class Chaos:
    """The jobs."""

    def __init__(self, record: Path) -> None:
        """Append to `record`."""
        self._record = record

    def routes(self) -> list[Route[Any]]:
        """One route a job."""
        return [
            Route("nap", PUSHES, Task, self.nap),
            Route("block", PUSHES, Task, self.block),
            Route("stubborn", PUSHES, Task, self.stubborn),
            Route("crash", PUSHES, Task, self.crash),
            Route("fail", PUSHES, Task, self.fail),
            Route("fail-for-good", PUSHES, Task, self.fail_for_good),
            Route("flaky", PUSHES, Task, self.flaky),
            Route("snooze", PUSHES, Task, self.snooze),
            Route("report", PUSHES, Task, self.report),
            Route("file-nap", FILES, Task, self.nap),
            Route("file-fail", FILES, Task, self.fail_for_good),
            Route("gather", PUSHES, Task, self.gather),
        ]

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
        """Sleep, and give the data back."""
        await asyncio.sleep(self._begin(task, context))
        self._write("end", context)
        return {"data": context.job.data}

    async def gather(self, task: Task, context: Context) -> dict[str, Any]:
        """Give back how its children have ended."""
        self._begin(task, context)
        children = await context.children()
        return {"results": children.results, "failures": children.failures}

    async def block(self, task: Task, context: Context) -> None:
        """Sleep as no processor should: the loop stands still."""
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
        """Take the process down."""
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
    """The lines of a record, but for one that is being written."""
    text = record.read_text() if record.exists() else ""
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def broken(launcher: Launcher, after: float) -> Launcher:
    """The launcher with a chore that ends by itself, as none should."""

    async def end() -> None:
        await asyncio.sleep(after)
        msg = "nobody thought of this"
        raise RuntimeError(msg)

    launcher._brokers[-1].chores = lambda: [Chore("break", 1.0, end)]  # type: ignore[method-assign]
    return launcher


async def work(settings: tuple[WorkerSettings, ChaosSettings, tuple[Queue, ...]], stop: Stop) -> int:
    """As in worker.py."""
    worker, chaos, queues = settings
    await wiring.preflight(worker, asyncio.sleep(0))
    launcher = wiring.launcher(worker, queues, Registry(Chaos(chaos.chaos_record).routes()))
    if chaos.chaos_break is not None:
        launcher = broken(launcher, chaos.chaos_break)
    return await serve(launcher, stop, worker.shutdown_grace)


def main() -> None:
    """As in worker.py."""
    try:
        settings: Any = wiring.load_all(WorkerSettings, ChaosSettings)
    except ConfigurationError as error:
        sys.exit(str(error))
    log.configure(settings[0].log_level, settings[0].log_format)
    grace = settings[0].shutdown_grace
    run_all([partial(run, partial(work, share), grace) for share in wiring.shares(settings)])


if __name__ == "__main__":
    main()
