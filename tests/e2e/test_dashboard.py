"""The dashboard as people use it: a real Chromium, web.py, worker.py, and jobs of both wires."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from embedded.redis_server import RedisServer
from tests.support.browser import BrowserSettings, find_chromium
from tests.support.dashboard_browser import HOME, act, opened, refreshed, sign_in
from tests.support.dashboard_client import FULL, READ, READ_SECRET, SECRET
from tests.support.showcase import FILES, IMAGE, fill
from tests.support.web_process import web_process

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.async_api import Browser, Page

    from tests.support.app import App
    from tests.support.wires import Mess


async def test_dead_letters_are_read_and_replayed(app: App, mess: Mess, chromium: Browser) -> None:
    """Sign in, see jobs of both wires fail, upload the missing file, replay each dead letter, and see the jobs done."""
    process, url = web_process(mess.url, app.folder, FULL)
    task = {"fileId": "cm1", "filePath": "uploads/cm1.png", "userId": "u1"}
    async with app.worker() as worker, process, opened(chromium, url) as page:
        await page.clock.install()
        await sign_in(page, "wrong")
        await expect(page.get_by_role("alert")).to_have_text("No entry of API_TOKENS is this token's.")
        await sign_in(page)
        facts = page.locator("#facts")
        await expect(facts.get_by_text("0 dead letters")).to_be_visible()
        await mess.bullmq("process-image", task, queue=FILES.name)
        mess.rq("process-image", task, queue=FILES.name)
        await worker.logged("job_dead", 2)
        await refreshed(page)
        await expect(facts.get_by_text("2 dead letters")).to_be_visible()
        app.upload("cm1")
        for count, wire in enumerate(("BullMQ", "RQ"), 1):
            await _replay(page, wire)
            await worker.logged("job_done", count)
            await refreshed(page)
            await expect(page.get_by_role("heading", name="process-image completed")).to_be_visible()
            await expect(page.get_by_role("region", name="Result")).to_contain_text("cm1-compressed.png")
    assert [("ada", "bullmq"), ("ada", "rq")] == [
        (line["by"], line["wire"]) for line in process.lines("letter_replayed")
    ]
    assert SECRET not in process.stdout + process.stderr


async def _replay(page: Page, wire: str) -> None:
    """Read a wire's dead letter and its job, replay it, and go to the job."""
    await page.get_by_role("link", name="Dead letters", exact=True).click()
    await page.get_by_role("row").filter(has_text=wire).get_by_role("link", name="process-image").click()
    await expect(page.get_by_role("region", name="Stack trace")).to_contain_text("no file has its fileId")
    await page.get_by_role("link", name="its page").click()
    await expect(page.get_by_role("region", name="Payload")).to_contain_text('"filePath": "uploads/cm1.png"')
    job = page.url
    await page.go_back()
    await act(page, "Replay")
    await expect(page.get_by_role("status")).to_contain_text("The job runs again")
    await page.goto(job)


@pytest.mark.parametrize("script", [True, False])
async def test_a_queue_is_paused_and_resumed(app: App, mess: Mess, chromium: Browser, script: bool) -> None:
    """Jobs enqueued meanwhile wait, and the page shows it; all of it works without JavaScript, too."""
    process, url = web_process(mess.url, app.folder, FULL)
    key = app.upload("cm1")
    async with app.worker() as worker, process, opened(chromium, url, java_script_enabled=script) as page:
        await page.clock.install()
        await sign_in(page)
        await expect(page.get_by_role("button", name="Pause updates")).to_have_count(1 if script else 0)
        card = page.get_by_role("region", name="file-processing")
        await card.get_by_role("button", name="Pause").click()
        await card.get_by_role("button", name="Cancel").click()
        assert [] == process.lines("queue_paused")
        await act(card, "Pause")
        await expect(page.get_by_role("status")).to_contain_text("Paused: no more jobs are handed out")
        await page.goto(HOME)
        await expect(card.get_by_text("paused", exact=True)).to_be_visible()
        await mess.bullmq("process-image", IMAGE | {"fileId": "cm1", "filePath": key}, queue=FILES.name)
        await (refreshed(page) if script else page.reload())
        await expect(card.get_by_role("row", name=re.compile("^waiting"))).to_contain_text("1")
        await card.get_by_role("link", name="file-processing", exact=True).click()
        await expect(page.get_by_role("link", name="process-image")).to_be_visible()
        await act(page, "Resume")
        await worker.logged("job_done", 1)
    assert ["ada"] == [line["by"] for line in process.lines("queue_resumed")]


async def test_a_read_only_session_has_no_buttons(mess: Mess, tmp_path: Path, chromium: Browser) -> None:
    """It sees everything but the actions."""
    await fill(mess)
    process, url = web_process(mess.url, tmp_path, READ)
    async with process, opened(chromium, url) as page:
        await sign_in(page, READ_SECRET)
        await expect(page.get_by_text("read-only")).to_be_visible()
        await page.goto(f"{HOME}/queue/{FILES.name}?state=failed")
        await page.get_by_role("link", name="process-image").first.click()
        await expect(page.get_by_role("region", name="Stack trace")).to_contain_text("Traceback")
        assert ["Pause updates", "Sign out"] == await page.get_by_role("button").all_inner_texts()
        await page.get_by_role("button", name="Sign out").click()
        await page.goto(HOME)
        await expect(page.get_by_label("API token")).to_be_focused()


async def test_a_link_from_another_site_keeps_the_session(mess: Mess, tmp_path: Path, chromium: Browser) -> None:
    """With SameSite=Strict the link's first request has no cookie; the page's own request has it."""
    process, url = web_process(mess.url, tmp_path, FULL)
    async with process, opened(chromium, url) as page:
        await sign_in(page)
        await page.goto("data:text/html,<a href='" + f"{url}{HOME}/workers" + "'>from elsewhere</a>")
        await page.get_by_text("from elsewhere").click()
        await expect(page.get_by_role("heading", name="Workers")).to_be_visible()


async def test_the_server_goes_away_and_comes_back(mess: Mess, tmp_path: Path, chromium: Browser) -> None:
    """The page keeps its content, says that it is old, and goes on by itself."""
    process, url = web_process(mess.url, tmp_path, FULL)
    async with process, opened(chromium, url, expected=["503"]) as page:
        await page.clock.install()
        await sign_in(page)
        await expect(page.get_by_role("heading", name="Queues")).to_be_visible()
        away = "<div id=away><h1>Redis can't be reached</h1></div>"
        await page.route("**/admin/queues/", lambda route: route.fulfill(status=503, body=away))
        await refreshed(page)
        await expect(page.get_by_role("status")).to_contain_text("Redis can't be reached. What is shown is from")
        await expect(page.get_by_role("region", name="file-processing")).to_be_visible()
        await page.unroute("**/admin/queues/")
        await refreshed(page)
        await expect(page.get_by_role("status")).to_be_hidden()


async def test_redis_goes_away_and_comes_back(tmp_path: Path, chromium: Browser) -> None:
    """A page opened meanwhile says what is wrong with Redis, and shows its content once nothing is."""
    with RedisServer(appendonly=True) as server:
        process, url = web_process(server.url, tmp_path, FULL)
        async with process, opened(chromium, url, expected=["503"]) as page:
            await page.clock.install()
            await sign_in(page)
            await expect(page.get_by_role("heading", name="Queues")).to_be_visible()
            server.stop()
            await page.reload()
            await expect(page.get_by_role("heading", name="Redis can't be reached")).to_be_visible()
            await refreshed(page)
            await expect(page.get_by_role("status")).to_have_count(0)
            server.start()
            await refreshed(page)
            await expect(page.get_by_role("region", name=FILES.name)).to_be_visible()


async def test_a_server_that_hangs_is_shown(mess: Mess, tmp_path: Path, chromium: Browser) -> None:
    """After ten real seconds the page says that it is old."""
    process, url = web_process(mess.url, tmp_path, FULL)
    async with process, opened(chromium, url) as page:
        await sign_in(page)
        await expect(page.get_by_role("heading", name="Queues")).to_be_visible()
        await page.route("**/admin/queues/", lambda _: None)
        await expect(page.get_by_role("status")).to_contain_text("The server does not answer.", timeout=60_000)
        await expect(page.get_by_role("region", name=FILES.name)).to_be_visible()


def test_without_a_browser_nothing_is_skipped_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer without Chromium learns how to get it; in CI its lack is a failure."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CHROMIUM", raising=False)
    with pytest.raises(pytest.skip.Exception, match="there is no Chromium: install it, or set CHROMIUM"):
        find_chromium(BrowserSettings(ci=None))
    with pytest.raises(pytest.fail.Exception, match="there is no Chromium"):
        find_chromium(BrowserSettings(ci="true"))
