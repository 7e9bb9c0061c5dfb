"""Python programs as processes that are forked from one which has the packages loaded.

To start Python and load them takes a second or two of a processor, and the tests start hundreds of programs.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import runpy
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import signal
    from collections.abc import Mapping, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkServerProcess

LOADED = (
    *("worker", "web", "aiosqlite", "psycopg", "pytest", "rich.progress", "typer", "uvicorn"),
    *("processors.email.opening", "processors.media.opening", "processors.push.opening"),
    *("storage.database", "storage.objects.factory"),
)

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(list(LOADED))


class Forked:
    """A program that runs, with the parts of `asyncio.subprocess.Process` that tests use."""

    def __init__(self, process: ForkServerProcess, stdout: asyncio.StreamReader, stderr: asyncio.StreamReader) -> None:
        """`process` has been started."""
        self._process = process
        self.stdout, self.stderr = stdout, stderr
        self._ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(process.sentinel, self._note_end)
        assert process.pid is not None
        self.pid: int = process.pid

    def _note_end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._process.sentinel)
        self._process.join()
        self._ended.set()

    @property
    def returncode(self) -> int | None:
        """Its exit status, or minus the signal that has ended it; None while it runs."""
        return self._process.exitcode if self._ended.is_set() else None

    async def wait(self) -> int:
        """Its exit status, once it has ended."""
        await self._ended.wait()
        assert self._process.exitcode is not None
        return self._process.exitcode

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Send SIGKILL."""
        self._process.kill()


async def fork(program: Path | str, *arguments: str, env: Mapping[str, str], folder: Path) -> Forked:
    """Run a file, or a module, in `folder`, with this environment alone and no standard input."""
    ours, theirs = zip(*(_forks.Pipe(duplex=False) for _ in ("stdout", "stderr")), strict=True)
    process = _forks.Process(target=_be, args=(program, arguments, dict(env), folder, *theirs))
    process.start()
    for end in theirs:
        end.close()
    return Forked(process, *[await _reader(end) for end in ours])


async def _reader(end: Connection) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    pipe = os.fdopen(os.dup(end.fileno()), "rb", buffering=0)
    end.close()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    return reader


def _be(
    program: Path | str, arguments: Sequence[str], env: dict[str, str], folder: Path, out: Connection, err: Connection
) -> None:
    """Be the program, in the forked process."""
    os.environ.clear()  # noqa: TID251 -- a process of its own
    os.environ.update(env)  # noqa: TID251
    os.chdir(folder)
    for number, descriptor in ((0, os.open(os.devnull, os.O_RDONLY)), (1, out.fileno()), (2, err.fileno())):
        os.dup2(descriptor, number)
    out.close()
    err.close()
    # multiprocessing has its own standard input, and the streams of the process that this one was forked from.
    sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    sys.argv = [str(program), *arguments]
    if isinstance(program, Path):
        sys.path[:0] = [str(program.parent), *filter(None, env.get("PYTHONPATH", "").split(os.pathsep))]
        runpy.run_path(str(program), run_name="__main__")
    else:
        runpy.run_module(program, run_name="__main__", alter_sys=True)
