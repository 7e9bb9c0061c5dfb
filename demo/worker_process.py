"""The real worker, as a process of its own: `python worker.py`."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from demo.clock import show
from demo.failure import DemoError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

PROJECT = Path(__file__).resolve().parents[1]
WORKER = PROJECT / "worker.py"
STOP_TIMEOUT = 30.0  # seconds; the worker's own grace time is 22
LAST_LINES = 5
DETAILS = ("name", "wire", "attempt", "seconds", "reason", "host")


class WorkerProcess:
    """Starts worker.py, keeps its log in a file, and shows it line by line. `started` is set when it claims jobs."""

    def __init__(self, env: Mapping[str, str], folder: Path, log: Path) -> None:
        """`env` is its whole environment. It runs in `folder`, so that it reads no `.env` of a developer."""
        self._env = dict(env)
        self._folder = folder
        self._log = log
        self._started = asyncio.Event()
        self._process: asyncio.subprocess.Process
        self._reading: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        """Start."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, str(WORKER)),
            cwd=self._folder,
            env=self._env,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Kill it if it still runs."""
        if self.is_running:
            self._process.kill()
            await self._process.wait()
        await self._reading

    async def until_started(self) -> None:
        """Wait until it claims jobs. Raises DemoError if it ends first."""
        waiting = asyncio.create_task(self._started.wait())
        await asyncio.wait([waiting, self._reading], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        self._check()

    @property
    def is_running(self) -> bool:
        """Whether the process runs."""
        return self._process.returncode is None

    async def ended(self) -> None:
        """Wait until it ends."""
        await self._process.wait()

    async def outlive(self, work: Coroutine[Any, Any, None], patience: float) -> None:
        """Do the work. Raises DemoError if the worker ends first, or after `patience` seconds."""
        working = asyncio.create_task(work)
        done, _ = await asyncio.wait([working, self._reading], timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        if working in done:
            return working.result()
        working.cancel()
        await asyncio.wait([working])
        self._check()
        msg = f"the jobs had not ended after {patience:g} s"
        raise DemoError(msg)

    async def stop(self) -> tuple[int, float]:
        """Send SIGTERM, as a platform does; returns the exit status and how many seconds it took.

        Raises DemoError.
        """
        began = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        show("demo", "SIGTERM", "to the worker")
        try:
            status = await asyncio.wait_for(self._process.wait(), STOP_TIMEOUT)
        except TimeoutError:
            msg = f"the worker was still running {STOP_TIMEOUT:g} s after SIGTERM"
            raise DemoError(msg) from None
        await self._reading
        return status, time.monotonic() - began

    def _check(self) -> None:
        if self._reading.done():
            lines = self._log.read_text(errors="replace").splitlines()[-LAST_LINES:]
            msg = "the worker ended by itself; its last lines:\n  " + "\n  ".join(lines)
            raise DemoError(msg)

    async def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 -- the process was started with a pipe
        with self._log.open("wb") as log:
            async for line in self._process.stdout:
                log.write(line)
                log.flush()
                self._tell(line)

    def _tell(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
            event = entry["event"]
        except (ValueError, TypeError, KeyError):
            show("worker", "says", line.decode(errors="replace").rstrip())
            return
        show("worker", event, "  ".join(f"{key}={entry[key]}" for key in DETAILS if key in entry))
        if event == "started":
            self._started.set()
