"""The dashboard's pages: the overview, static files, and error pages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from structlog.testing import capture_logs

from embedded.redis_server import RedisServer
from queue_lib.admin.queues import QueueAdmin
from queue_lib.web.dashboard.addresses import PREFIX
from tests.support.dashboard_client import Browser, browser_of, built
from tests.support.queues import QUEUES
from tests.support.showcase import FILES, fill

if TYPE_CHECKING:
    import pytest
    from fastapi import FastAPI

    from tests.support.wires import Mess


async def test_the_overview_shows_counts_graphs_and_alarms(ada: Browser, mess: Mess) -> None:
    """Both wires in one queue; without a worker there is an alarm."""
    assert len(QUEUES) == (await ada.get("/")).text.count("No worker serves this queue.")
    await fill(mess)
    page = await ada.get("/")

    assert "No worker" not in page.text
    assert re.search(r'state=waiting&amp;wire=rq">12<', page.text)
    assert 4 <= page.text.count('<path class="done" d="M') + page.text.count('<path class="p95" d="M')
    assert re.search(r"<b[^>]*>4</b> dead letters", page.text)
    assert "worker-2.dyno-4f1c2a91" in (await ada.get("/workers")).text
    assert "nothing of this" not in (await ada.get("/?said=nothing%20of%20this")).text


async def test_pages_say_that_redis_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every page, with 503; sessions stay, and the pages come back with Redis."""
    with RedisServer(appendonly=True) as server:
        web, _ = built(server.url, monkeypatch)
        async with web.router.lifespan_context(web), browser_of(web) as browser:
            await browser.sign_in()
            await browser.get("/")
            server.stop()
            for path in ("/", f"/queue/{FILES.name}", "/letters", "/schedules", "/workers"):
                page = await browser.get(path)
                assert (503, "5") == (page.status_code, page.headers["retry-after"])
                assert "Redis can&#39;t be reached" in page.text or "Redis can't be reached" in page.text
            server.start()
            assert 200 == (await browser.get("/")).status_code


async def test_a_fault_is_a_page_without_details(ada: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says where to look, and has the headers of all other pages."""

    async def broken(_: QueueAdmin) -> None:
        msg = "secret detail"
        raise RuntimeError(msg)

    monkeypatch.setattr(QueueAdmin, "stats", broken)
    with capture_logs() as logged:
        page = await ada.get("/")
    assert ["api_fault"] == [line["event"] for line in logged]
    assert (500, True) == (page.status_code, "its log says which" in page.text)
    assert "secret detail" not in page.text


async def test_style_and_script_may_be_cached(stranger: Browser) -> None:
    """Their address changes with their content; one of another version, as during a deploy, is refused."""
    page = await stranger.get("/login")
    for path in re.findall(rf'(?:href|src)="{PREFIX}(/static/[^"]+)"', page.text):
        file = await stranger.get(path)
        assert (200, True) == (file.status_code, "immutable" in file.headers["cache-control"])
        other = await stranger.get(re.sub("/static/[^/]+", "/static/0123456789ab", path))
        assert (404, "no-store") == (other.status_code, other.headers["cache-control"])
    assert "<script>" not in page.text
    assert " style=" not in page.text


async def test_the_dashboard_is_not_in_the_openapi_document(parts: tuple[FastAPI, FastAPI]) -> None:
    """It is for people."""
    assert not [path for path in parts[0].openapi()["paths"] if path.startswith(PREFIX)]
