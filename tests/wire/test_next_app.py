"""The TypeScript of the docs in a fresh `create-next-app`: it builds, and what it enqueues arrives."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest
import redis

from tests.support import package, typescript
from tests.support.node import NEXT, require

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PATIENCE = 300.0  # seconds, on a machine that is busy with other tests
# What it asks by default, but for what needs the network: Google's fonts, and packages that no page uses.
FRESH = (
    *("--ts", "--app", "--empty", "--no-tailwind", "--no-eslint", "--no-src-dir", "--import-alias", "@/*"),
    *("--use-npm", "--skip-install", "--disable-git", "--no-agents-md", "--no-agent-feedback", "--yes"),
)


@pytest.fixture
async def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Path]:
    """A fresh app with all files of the docs in it, below the folder that has its packages."""
    require("next")
    # `create-next-app` keeps answers in the home; a folder that has the home in it is no root for `next build`.
    monkeypatch.setenv("HOME", str(tmp_path))
    with tempfile.TemporaryDirectory(prefix="app-", dir=NEXT) as folder:
        await run(Path(folder), "create-next-app", "my-app", *FRESH)
        made = Path(folder, "my-app")
        package.install(package.pack(tmp_path), made)
        typescript.write(made, typescript.files())
        typescript.write(made, {f"variants/{path}": code for path, code in typescript.variants().items()})
        yield made


async def run(folder: Path, program: str, *arguments: str) -> str:
    """Run one of the packages' programs, without Redis and without our variables; returns its output."""
    async with running(folder, program, *arguments) as process:
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


async def test_the_docs_files_build_and_enqueue(app: Path, redis_url: str) -> None:
    """Every file passes `tsc --strict`. `next build` with its defaults needs no Redis. A route enqueues."""
    assert '"strict": true' in (app / "tsconfig.json").read_text()
    assert "cacheComponents: true" in (app / "next.config.ts").read_text()

    said = await run(app, "next", "build")

    assert "ECONNREFUSED" not in said
    assert {"/api/messages", "/api/images"} <= set(said.split())

    async with (
        running(app, "next", "start", "--port", "0", REDIS_URL=redis_url) as server,
        aiohttp.ClientSession() as browser,
        browser.post(f"{await address(server)}/api/messages") as answer,
    ):
        assert (202, {"job": "1"}) == (answer.status, await answer.json())
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        names = [client.hget(f"bull:{queue}:1", "name") for queue in ("push-notifications", "file-processing")]
    assert ["push-notification", "process-image"] == names
