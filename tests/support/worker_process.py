"""A worker as a process of its own: started as a PaaS starts it, watched through its log, ended in every way."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from tests.support.forked import Forked, fork
from tests.support.polling import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import Mapping

PROJECT = Path(__file__).parents[2]
WORKER = PROJECT / "worker.py"
CHAOS_WORKER = PROJECT / "tests" / "support" / "chaos_worker.py"
Line = dict[str, Any]


class WorkerProcess:
    """One run of `python worker.py` (or of another script) with exactly the environment `env`.

    As a context manager it is started, has logged `started` when the body begins, and is killed at the end; its
    output is shown with a failed test. `folder` is its working directory: not the project, whose `.env` it would read.
    It is forked from a process that has the packages loaded, unless `python` is the one to start for it.
    """

    def __init__(
        self, env: Mapping[str, str], folder: Path, script: Path = WORKER, python: str | Path | None = None
    ) -> None:
        """Nothing runs before `start`."""
        self._env = {"PATH": os.defpath, "PYTHONPATH": str(PROJECT), "LOG_FORMAT": "json", **env}
        self._folder = folder
        self._script = script
        self._python = python
        self._process: asyncio.subprocess.Process | Forked | None = None
        self._readers: list[asyncio.Task[None]] = []
        self._written = {"stdout": b"", "stderr": b""}

    async def __aenter__(self) -> Self:
        """Start, and wait for `started`."""
        await self.start()
        try:
            await self.started()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Kill it if it still runs, and show its output."""
        await self.kill()
        print(f"--- {self._script.name} {self.pid}\n{self.stdout}{self.stderr}")  # noqa: T201 -- pytest keeps it for failures

    async def start(self) -> None:
        """Start the process."""
        if self._python is None:
            self._process = await fork(self._script, env=self._env, folder=self._folder)
        else:
            pipe = asyncio.subprocess.PIPE
            self._process = await asyncio.create_subprocess_exec(
                self._python, str(self._script), cwd=self._folder, env=self._env, stdout=pipe, stderr=pipe
            )
        self._readers = [
            asyncio.create_task(self._read(name, stream))
            for name, stream in (("stdout", self._process.stdout), ("stderr", self._process.stderr))
            if stream is not None
        ]

    async def _read(self, name: str, stream: asyncio.StreamReader) -> None:
        while chunk := await stream.read(65_536):
            self._written[name] += chunk

    @property
    def process(self) -> asyncio.subprocess.Process | Forked:
        """The process, once it was started."""
        assert self._process is not None
        return self._process

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def is_running(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.returncode is None

    @property
    def stdout(self) -> str:
        """Everything it wrote to standard output so far: the log."""
        return self._written["stdout"].decode()

    @property
    def stderr(self) -> str:
        """Everything it wrote to standard error so far."""
        return self._written["stderr"].decode()

    @property
    def log(self) -> list[Line]:
        """The complete lines of the log; one that is not JSON raises ValueError."""
        return [json.loads(line) for line in self.stdout.split("\n")[:-1]]

    def lines(self, event: str, **fields: Any) -> list[Line]:
        """The lines of this event that have these fields."""
        return [line for line in self.log if line["event"] == event and fields.items() <= line.items()]

    async def logged(self, event: str, count: int = 1, within: float = PATIENCE, **fields: Any) -> list[Line]:
        """The lines of this event with these fields, once there are `count` of them, while the process runs."""

        def look() -> list[Line]:
            lines = self.lines(event, **fields)
            assert self.is_running or len(lines) >= count, f"the worker ended: {self.stdout}{self.stderr}"
            return lines if len(lines) >= count else []

        return await until(look, within, lambda: f"{count} x {event} {fields} in\n{self.stdout}{self.stderr}")

    async def started(self) -> None:
        """Wait until it consumes."""
        await self.logged("started")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    async def kill(self) -> None:
        """End it as a failure of the machine does (SIGKILL)."""
        if self.is_running:
            self.process.kill()
        await self.wait(PATIENCE)

    async def wait(self, within: float) -> int:
        """Its exit status, once it has ended and its output is read; TimeoutError after `within` seconds."""
        async with asyncio.timeout(within):
            status = await self.process.wait()
            await asyncio.gather(*self._readers)
        return status

    async def terminate(self, within: float) -> tuple[int, float]:
        """End it as a PaaS does (SIGTERM); returns its exit status and the seconds that it took."""
        since = time.monotonic()
        self.signal(signal.SIGTERM)
        return await self.wait(within), time.monotonic() - since
