"""Runs operators' scripts in processes that are forked from one which has the packages loaded.

To start Python and load them takes a second or more of a processor, and tests run a hundred scripts.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import runpy
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.polling import PATIENCE

LOADED = (
    "processors.features",
    "processors.push.opening",
    "queue_lib.wiring",
    "rich.progress",
    "storage.facade",
    "typer",
)

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(list(LOADED))


@dataclass(frozen=True)
class Answer:
    """The output of a script."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its one line of JSON."""
        return json.loads(self.out)


async def run_script(name: str, *arguments: str, env: dict[str, str]) -> Answer:
    """Run `python -m scripts.<name>` with these arguments, this environment alone and no terminal."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, stream) for stream in ("out", "err")]
        process = _forks.Process(target=_be, args=(name, arguments, env, *map(str, files)))
        process.start()
        await asyncio.to_thread(process.join, PATIENCE)
        if process.exitcode is None:
            process.kill()
            msg = f"scripts.{name} has not ended within {PATIENCE:g} s"
            raise TimeoutError(msg)
        return Answer(process.exitcode, *(file.read_text() for file in files))


def _be(name: str, arguments: tuple[str, ...], env: dict[str, str], out: str, err: str) -> None:
    """Be the script, in the forked process."""
    os.environ.clear()  # noqa: TID251 -- a process of its own
    os.environ.update(env)  # noqa: TID251
    for number, path in ((0, os.devnull), (1, out), (2, err)):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
        os.dup2(descriptor, number)
        os.close(descriptor)
    # multiprocessing has its own standard input, and streams of the process that it was forked from.
    sys.stdin, sys.stdout, sys.stderr = (
        os.fdopen(number, mode, closefd=False) for number, mode in ((0, "r"), (1, "w"), (2, "w"))
    )
    sys.argv = [name, *arguments]
    runpy.run_module(f"scripts.{name}", run_name="__main__")
