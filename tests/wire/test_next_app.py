"""The TypeScript of the docs in a fresh `create-next-app`: it builds, and what it enqueues arrives."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import aiohttp
import pytest
import redis

from tests.support import package, typescript
from tests.support.docs import PROJECT, own_jobs_module
from tests.support.next_app import address, fresh_app, run, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.matrix  # the build of the example shows the same of the package
ROUTES = ("/api/stock", "/api/messages")  # with bullmq alone, and with the package


@pytest.fixture
async def app(tmp_path: Path, tarball: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Path]:
    """A fresh app with the package and all files of the docs in it, below the folder that has its other packages."""
    async with fresh_app(tmp_path, monkeypatch) as made:
        package.install(tarball, made)
        typescript.write(made, {"lib/jobs.ts": own_types(tmp_path)})
        typescript.write(made, typescript.files())
        typescript.write(made, {f"variants/{path}": code for path, code in typescript.variants().items()})
        yield made


def own_types(folder: Path) -> str:
    """What docs/own-jobs.md lets one print, of the jobs of that page."""
    (folder / "jobs.py").write_text(own_jobs_module())
    command = (sys.executable, "-m", "scripts.typescript_types")
    env = {"JOBS": "jobs", "PYTHONPATH": str(PROJECT)}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=True).stdout


async def test_the_docs_files_build_and_enqueue(app: Path, redis_url: str) -> None:
    """Every file passes `tsc --strict`. `next build` with its defaults needs no Redis. Both routes enqueue."""
    assert '"strict": true' in (app / "tsconfig.json").read_text()
    assert "cacheComponents: true" in (app / "next.config.ts").read_text()

    said = await run(app, "next", "build")

    assert "ECONNREFUSED" not in said
    assert {"/api/messages", "/api/images", "/api/jobs/[queue]/[id]"} <= set(said.split())

    async with (
        running(app, "next", "start", "--port", "0", REDIS_URL=redis_url) as server,
        aiohttp.ClientSession() as browser,
    ):
        site = await address(server)
        with_bullmq, with_pushmill = [await enqueued(browser, site + route) for route in ROUTES]
    assert "1" == with_bullmq
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        names = [client.hget(f"bull:{queue}:1", "name") for queue in ("push-notifications", "file-processing")]
        image = client.hget(f"bull:file-processing:{with_pushmill}", "name")
        pushes = client.llen("bull:push-notifications:wait")
    assert ["push-notification", "process-image"] == names
    assert ("process-image", 2) == (image, pushes)


async def enqueued(browser: aiohttp.ClientSession, route: str) -> str:
    """The id of the job with which a route answers."""
    async with browser.post(route) as answer:
        assert 202 == answer.status
        return str((await answer.json())["job"])
