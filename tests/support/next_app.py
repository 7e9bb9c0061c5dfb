"""A fresh app of `create-next-app`, and its programs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.node import NEXT, require

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest

PATIENCE = 600.0  # seconds, on a machine that is busy with other tests
# What it asks by default, but for what needs the network: Google's fonts, and packages that no page uses.
FRESH = (
    *("--ts", "--app", "--empty", "--no-tailwind", "--no-eslint", "--no-src-dir", "--import-alias", "@/*"),
    *("--use-npm", "--skip-install", "--disable-git", "--no-agents-md", "--no-agent-feedback", "--yes"),
)


@contextlib.asynccontextmanager
async def fresh_app(home: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Path]:
    """A fresh app below the folder that has its packages."""
    require("next")
    # `create-next-app` keeps answers in the home; a folder that has the home in it is no root for `next build`.
    monkeypatch.setenv("HOME", str(home))
    with tempfile.TemporaryDirectory(prefix="app-", dir=NEXT) as folder:
        await run(Path(folder), "create-next-app", "my-app", *FRESH)
        yield Path(folder, "my-app")


async def run(folder: Path, program: str, *arguments: str, **env: str) -> str:
    """Run one of the packages' programs, or one with a path, without our variables; returns its output."""
    async with running(folder, program, *arguments, **env) as process:
        said, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert 0 == process.returncode, said.decode()
    return said.decode()


@contextlib.asynccontextmanager
async def running(folder: Path, program: str, *arguments: str, **env: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """One of the packages' programs; at the end all processes that it has started are ended."""
    quiet = {"CI": "1", "NEXT_TELEMETRY_DISABLED": "1"}
    process = await asyncio.create_subprocess_exec(
        str(NEXT / "node_modules" / ".bin" / program),
        *arguments,
        cwd=folder,
        env={name: os.environ[name] for name in ("PATH", "HOME")} | quiet | env,  # noqa: TID251 -- node's
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def address(process: asyncio.subprocess.Process) -> str:
    """The address at which the started server listens."""
    assert process.stdout is not None
    said = b""
    async with asyncio.timeout(PATIENCE):
        while (found := re.search(rb"http://localhost:\d+", said)) is None or b"Ready" not in said:
            line = await process.stdout.readline()
            assert line, said.decode()
            said += line
    return found[0].decode()
