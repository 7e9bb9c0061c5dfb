"""Runs an encoder in a child process of its own: what happens in there takes only its own job with it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from processors.media.refusal import REFUSED_STATUS
from queue_lib.errors import PermanentError, SnoozeError, TransientError

if TYPE_CHECKING:
    from collections.abc import Mapping

# Where `python -m processors...` finds the modules.
PROJECT = Path(__file__).resolve().parents[2]
ENTRY = "processors.media.child"
MAX_OUTPUT = 4096
LOOK_EVERY = 0.5  # seconds


class Sandbox:
    """Starts modules of this project as child processes.

    `env` is all of the environment that they see. Keep credentials out of it.
    """

    def __init__(self, env: Mapping[str, str] | None = None) -> None:
        """Take the environment of the children; without one, it is empty."""
        self._env = dict(env or {})

    async def run(self, module: str, *arguments: str) -> dict[str, Any]:
        """Run `python -m module arguments...`; returns the JSON object that it prints.

        Raises PermanentError where it refuses its input, TransientError where it fails or is killed, and SnoozeError
        where it is ended by SIGTERM. The child
        has no time limit of its own: a cancelled run kills it and all that it started, and the runner cancels at the
        job's deadline.
        """
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", ENTRY, module, *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=PROJECT,
            env=self._env,
            start_new_session=True,
        )
        reaper = asyncio.create_task(_reap_what_is_left(process))
        try:
            stdout, stderr, status = await asyncio.gather(_tail(process.stdout), _tail(process.stderr), process.wait())
        finally:
            reaper.cancel()
            await _kill(process)
        return _verdict(status, stdout, stderr)


async def _reap_what_is_left(process: asyncio.subprocess.Process) -> None:
    """Kill the group once the child has ended: a process that it has left behind would keep its pipes open."""
    while process.returncode is None:  # noqa: ASYNC110 -- asyncio waits for the pipes before it tells
        await asyncio.sleep(LOOK_EVERY)
    _kill_group(process)


async def _tail(stream: asyncio.StreamReader | None) -> str:
    """Read to the end and keep the last 4 KiB: that is where a traceback says what happened."""
    kept = b""
    while stream is not None and (chunk := await stream.read(MAX_OUTPUT)):
        kept = (kept + chunk)[-MAX_OUTPUT:]
    return kept.decode(errors="replace")


async def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill the child and all that it has started, and wait until it is gone."""
    _kill_group(process)
    await process.wait()


def _kill_group(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _verdict(status: int, stdout: str, stderr: str) -> dict[str, Any]:
    if status == -signal.SIGTERM:
        # A platform that stops a worker sends SIGTERM to every process of it: that is no fault of the picture.
        msg = "the encoder was told to stop"
        raise SnoozeError(msg, 1.0)
    if status < 0:
        msg = f"the encoder was killed by {_signal_name(-status)}"
        raise TransientError(msg)
    report = _report(stdout)
    if status == REFUSED_STATUS and "refused" in report:
        raise PermanentError(report["refused"])
    if status != 0 or not report:
        last = (stderr.strip().splitlines() or ["it said nothing"])[-1]
        msg = f"the encoder failed with status {status}: {last}"
        raise TransientError(msg)
    return report


def _report(stdout: str) -> dict[str, Any]:
    try:
        report = json.loads(stdout)
    except ValueError:
        return {}
    return report if isinstance(report, dict) else {}


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
