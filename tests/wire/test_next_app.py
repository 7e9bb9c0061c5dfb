"""The TypeScript of the docs in a fresh `create-next-app`: it builds, and what it enqueues arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import pytest
import redis

from tests.support import package, typescript
from tests.support.next_app import address, fresh_app, run, running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Path]:
    """A fresh app with all files of the docs in it, below the folder that has its packages."""
    async with fresh_app(tmp_path, monkeypatch) as made:
        package.install(package.pack(tmp_path), made)
        typescript.write(made, typescript.files())
        typescript.write(made, {f"variants/{path}": code for path, code in typescript.variants().items()})
        yield made


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
