"""The package in an app of the previous major versions: Next.js 15, React 18.3, Prisma 6, bullmq 5."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import pytest

from tests.support.next_app import address, run, running
from tests.support.previous_app import PROGRAMS, init, previous_app

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.matrix, pytest.mark.slow]


async def test_an_app_of_the_previous_majors(tarball: Path) -> None:
    """`init` fits it; it passes `tsc --strict`, builds without Redis, and its routes answer."""
    with previous_app(tarball, {}) as app:
        await init(app)

        said = await run(app, str(PROGRAMS / "next"), "build")

        assert "Next.js 15." in said
        assert {"/api/push/subscriptions", "/api/uploads", "/api/jobs/[queue]/[id]"} <= set(said.split())
        async with (
            running(app, str(PROGRAMS / "next"), "start", "--port", "0") as server,
            aiohttp.ClientSession(await address(server)) as browser,
        ):
            async with browser.get("/api/push/subscriptions") as response:
                assert 401 == response.status  # nobody has signed in
            async with browser.get("/") as page:
                assert 200 == page.status  # with the button, which a browser draws
