"""The processes of the example: the worker, `web.py` and `next start`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from demo.clock import show
from demo.example.app import APP, build, node_env
from demo.example.parts import Parts, parts
from demo.example.ports import HOST, held_port
from demo.failure import DemoError
from demo.worker_process import PROJECT, WorkerProcess
from embedded.mozilla_push import MozillaPush
from processors.sandbox.settings import PlatformSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

USUAL_PORT = 3000
STOP_TIMEOUT = 10.0  # seconds
EVERY = 0.1  # seconds


@dataclass(frozen=True)
class Site:
    """The running example: its address, what it stands on, and where its processes write."""

    url: str
    web_url: str
    parts: Parts
    push: MozillaPush
    logs: Path
    processes: Mapping[str, WorkerProcess | Process]

    async def until(self, stop: asyncio.Event) -> None:
        """Wait for `stop`. Raises DemoError if a process ends without it."""
        ends = {name: asyncio.create_task(process.ended()) for name, process in self.processes.items()}
        waiting = [asyncio.create_task(stop.wait()), *ends.values()]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        names = [name for name, end in ends.items() if end.done()]
        for task in waiting:
            task.cancel()
        if names and not stop.is_set():
            msg = f"{', '.join(names)} ended by itself; see its log in {self.logs}"
            raise DemoError(msg)


@asynccontextmanager
async def running(logs: Path, **env: str) -> AsyncIterator[Site]:
    """Build the app, start everything, and end everything. `env` is added to the worker's. Raises DemoError."""
    await asyncio.to_thread(build, logs / "build.log")
    async with AsyncExitStack() as cleanup:
        made = cleanup.enter_context(parts())
        push = MozillaPush()
        await push.start()
        cleanup.push_async_callback(push.stop)
        show("example", "started", "Valkey, S3 by moto, a push service, SQLite with the app's tables")
        base = PlatformSettings().child_env()
        worker_env = base | made.worker_env() | env
        worker = await cleanup.enter_async_context(WorkerProcess(worker_env, made.folder, logs / "worker.log"))
        cleanup.push_async_callback(_stop, worker)
        web_port = cleanup.enter_context(held_port())
        web_url = f"http://127.0.0.1:{web_port}"
        web = Process("web", (sys.executable, str(PROJECT / "web.py")), made.folder, logs)
        await cleanup.enter_async_context(web.started(base | made.web_env() | {"PORT": str(web_port)}))
        port = cleanup.enter_context(held_port(USUAL_PORT))
        app = Process("app", ("node", "node_modules/next/dist/bin/next", "start", *_address(port)), APP, logs)
        await cleanup.enter_async_context(app.started(node_env() | made.app_env(web_url)))
        await worker.until_started()
        await web.listens(web_port)
        await app.listens(port)
        yield Site(f"http://localhost:{port}", web_url, made, push, logs, {"worker": worker, "web": web, "app": app})


async def _stop(worker: WorkerProcess) -> None:
    with suppress(ProcessLookupError):  # on Ctrl-C the terminal has told it, too
        if worker.is_running:
            await worker.stop()


class Process:
    """A program in a process group of its own: what it starts ends with it."""

    def __init__(self, name: str, command: tuple[str, ...], folder: Path, logs: Path) -> None:
        """Nothing runs yet. Its output goes to `<name>.log`."""
        self.name = name
        self._command = command
        self._folder = folder
        self._log = logs / f"{name}.log"
        self._process: asyncio.subprocess.Process

    @asynccontextmanager
    async def started(self, env: Mapping[str, str]) -> AsyncIterator[None]:
        """Run it; at the end it gets SIGTERM, and SIGKILL if that does not help."""
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._command, cwd=self._folder, env=env, stdout=log, stderr=log, start_new_session=True
            )
        show(self.name, "starts")
        try:
            yield
        finally:
            await self._stop()

    async def ended(self) -> None:
        """Wait until it ends."""
        await self._process.wait()

    async def listens(self, port: int) -> None:
        """Wait until it answers on this port. Raises DemoError if it ends before."""
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                if self._process.returncode is not None:
                    msg = f"{self.name} has ended:\n{self._log.read_text(errors='replace')}"
                    raise DemoError(msg) from None
                await asyncio.sleep(EVERY)
            else:
                writer.close()
                return

    async def _stop(self) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), STOP_TIMEOUT)


def _address(port: int) -> tuple[str, ...]:
    return ("--hostname", HOST, "--port", str(port))
