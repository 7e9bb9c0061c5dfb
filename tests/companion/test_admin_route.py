"""The dashboard behind an app's own session: a real browser, the package's route in Node, web.py, and a worker."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import expect

from queue_lib.web.dashboard.addresses import PREFIX
from tests.support.admin_app import MOUNT, admin_app
from tests.support.dashboard_browser import act, opened, refreshed
from tests.support.dashboard_client import FULL, READ, READ_SECRET, SECRET
from tests.support.showcase import FILES, fill
from tests.support.web_process import web_process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Browser, Page

    from tests.support.app import App
    from tests.support.wires import Mess
    from tests.support.worker_process import WorkerProcess

pytestmark = pytest.mark.matrix  # too slow for `make test`; tests of the package with Node alone show the most of it
BASE = "/base"


@asynccontextmanager
async def both(
    tarball: Path, mess: Mess, secret: str = SECRET, base: str = ""
) -> AsyncIterator[tuple[WorkerProcess, str]]:
    """`web.py`, and the URL of an app in front of it that has this token."""
    process, url = web_process(mess.url, mess.folder, FULL, READ)
    async with AsyncExitStack() as cleanup:
        await cleanup.enter_async_context(process)
        app = admin_app(tarball, mess.folder, PUSHMILL_URL=url, PUSHMILL_TOKEN=secret, BASE_PATH=base)
        yield process, await cleanup.enter_async_context(app)


@asynccontextmanager
async def client_of(url: str, user: str = "ada") -> AsyncIterator[httpx.AsyncClient]:
    """A client with a session of the app."""
    async with httpx.AsyncClient(base_url=url, cookies={"me": user}, timeout=60) as http:
        yield http


async def enter(page: Page, user: str, base: str = "") -> None:
    """Sign in to the app, and open the dashboard there."""
    await page.goto(f"{base}/enter?as={user}")
    await page.goto(base + MOUNT)


@pytest.mark.parametrize("base", [pytest.param("", marks=pytest.mark.matrix), BASE])
async def test_a_failed_job_is_retried_in_the_app(
    app: App, mess: Mess, chromium: Browser, tarball: Path, base: str
) -> None:
    """From the overview to the job and its button. The browser has neither token nor cookie of web.py."""
    task = {"fileId": "cm1", "filePath": "uploads/cm1.png", "userId": "u1"}
    async with app.worker() as worker, both(tarball, mess, base=base) as (process, url), opened(chromium, url) as page:
        await page.clock.install()
        await mess.bullmq("process-image", task, queue=FILES.name)
        await worker.logged("job_dead", 1)
        app.upload("cm1")
        await enter(page, "ada", base)
        await expect(page.get_by_role("button", name="Pause updates")).to_be_visible()
        await expect(page.get_by_text("Sign out")).to_have_count(0)
        await page.get_by_role("region", name=FILES.name).get_by_role("link", name="failed").click()
        await page.get_by_role("link", name="process-image").click()
        await expect(page.get_by_role("region", name="Stack trace")).to_contain_text("no file has its fileId")
        await act(page, "Retry")
        await expect(page.get_by_role("status")).to_contain_text("The job runs again")
        await worker.logged("job_done", 1)
        await refreshed(page)
        await expect(page.get_by_role("heading", name="process-image completed")).to_be_visible()
        assert page.url.startswith(f"{url}{base}{MOUNT}/job?")
        assert ["me"] == [cookie.get("name") for cookie in await page.context.cookies()]
        assert SECRET not in await page.content()
    assert [FULL.name] == [line["by"] for line in process.lines("job_retried")]


async def test_every_page_is_reached_by_its_links(mess: Mess, chromium: Browser, tarball: Path) -> None:
    """Below the app's path, with its style; the search's form, too."""
    await fill(mess)
    async with both(tarball, mess, base=BASE) as (_, url), opened(chromium, url) as page:
        await enter(page, "ada", BASE)
        for name, heading in (("Dead letters", "Dead letters"), ("Workers", "Workers"), ("Queues", "Queues")):
            await page.get_by_role("navigation", name="Pages").get_by_role("link", name=name).click()
            await expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
            assert page.url.startswith(f"{url}{BASE}{MOUNT}")
        await page.get_by_role("link", name=FILES.name).first.click()
        await page.get_by_role("searchbox").fill("holiday")
        await page.get_by_role("button", name="Search").click()
        await expect(page.get_by_role("link", name="process-image").first).to_be_visible()
        assert "flex" == await page.locator(".who").evaluate("each => getComputedStyle(each).display")


async def test_a_reader_has_no_buttons_and_a_stranger_no_page(mess: Mess, chromium: Browser, tarball: Path) -> None:
    """The app's session decides, though the token may do everything."""
    await fill(mess)
    async with both(tarball, mess) as (process, url), opened(chromium, url, ("403",)) as page:
        await page.goto(MOUNT)
        await expect(page.get_by_text("You may not see this.")).to_be_visible()
        await enter(page, "viewer")
        await expect(page.get_by_text("read-only")).to_be_visible()
        await page.goto(f"{MOUNT}/queue/{FILES.name}?state=failed")
        await expect(page.get_by_role("link", name="process-image").first).to_be_visible()
        assert ["Pause updates"] == [
            text for text in await page.get_by_role("button").all_inner_texts() if text != "Search"
        ]
        async with client_of(url, "viewer") as http:
            answer = await http.post(f"{MOUNT}/queue/{FILES.name}/pause", headers={"Sec-Fetch-Site": "same-origin"})
            assert (403, True) == (answer.status_code, "may only read" in answer.text)
        async with client_of(url) as http:
            overview = await http.get(MOUNT)
            assert {"default-src 'none'", "no-store"} <= {
                overview.headers["content-security-policy"].split(";")[0],
                overview.headers["cache-control"],
            }
    assert [] == process.lines("queue_paused")


async def test_another_origin_sends_no_form(mess: Mess, chromium: Browser, tarball: Path) -> None:
    """With the form of a page on another port of the same host the cookie is sent, and it is refused."""
    async with both(tarball, mess) as (process, url), opened(chromium, url, ("403", "404")) as page:
        await enter(page, "ada")
        await page.get_by_role("region", name=FILES.name).get_by_role("button", name="Pause").click()
        token = await page.locator("[name=csrf]").first.get_attribute("value")
        action = f"{url}{MOUNT}/queue/{FILES.name}/pause"
        async with admin_app(tarball, mess.folder) as other:
            await page.goto(f"{other}/elsewhere")
            form = f"<form method=post action='{action}'><input name=csrf value='{token}'><button>Win</button></form>"
            await page.set_content(form)
            await page.get_by_role("button", name="Win").click()
            await expect(page.get_by_text("The form was sent from another site.")).to_be_visible()
    assert [] == process.lines("queue_paused")


HOSTILE = [
    "/../../healthz",
    "/..%2f..%2fhealthz",
    "/%2e%2e/%2e%2e/healthz",
    "/..;/..;/healthz",
    "/..%5c..%5chealthz",
    "//evil.example/",
    "/%2f%2fevil.example",
    "/http://evil.example/",
    "/@evil.example",
    "/%00",
    "/%0d%0aHost:%20evil.example",
    "/queue/../../../queue/stats",
    "/static/../../../openapi.json",
    "/login",
    "/nothing",
]


async def test_no_path_leaves_the_dashboard(mess: Mess, tarball: Path) -> None:
    """Whatever is asked for is a page of the dashboard, or none; never web.py's other parts or another host."""
    async with both(tarball, mess) as (_, url):
        for path in HOSTILE:
            head = f"GET {MOUNT}{path} HTTP/1.1\r\nHost: app\r\nCookie: me=ada\r\nConnection: close\r\n\r\n"
            answer = await _raw(url, head.encode())
            assert b" 404 " in answer.split(b"\r\n", 1)[0] or b" 308 " in answer.split(b"\r\n", 1)[0], (path, answer)
            assert b"alive" not in answer
            assert b"oldest" not in answer
            assert b"set-cookie" not in answer.lower()


async def test_wrong_settings_and_an_absent_web_process_are_said(mess: Mess, tarball: Path) -> None:
    """In one line, to those whom the app allows; when web.py is back so are the pages."""
    process, url = web_process(mess.url, mess.folder, FULL)
    wrong = admin_app(tarball, mess.folder, PUSHMILL_URL=url, PUSHMILL_TOKEN=READ_SECRET)
    right = admin_app(tarball, mess.folder, PUSHMILL_URL=url, PUSHMILL_TOKEN=SECRET)
    async with wrong as mistaken, right as app, client_of(app) as http:
        away = await http.get(MOUNT)
        assert (502, True) == (away.status_code, "can&#39;t be reached (ECONNREFUSED)" in away.text)
        assert url.removeprefix("http://") in away.text
        async with process, client_of(mistaken) as other:
            refused = await other.get(MOUNT)
            assert (502, True) == (refused.status_code, "web.py does not know the token" in refused.text)
            assert "API token" not in refused.text
            assert 200 == (await http.get(MOUNT)).status_code


async def test_the_api_is_passed_on_as_it_arrives(app: App, mess: Mess, tarball: Path) -> None:
    """A job is added and its events are read while it runs; when the reader goes, web.py's answer ends."""
    key = app.upload("cm1")
    async with both(tarball, mess) as (_, url), client_of(url) as http:
        body = {"name": "process-image", "data": {"fileId": "cm1", "filePath": key, "userId": "u1"}}
        refused = await http.post("/api/queue/jobs", json=body)
        assert (403, "The form was sent from another site.") == (refused.status_code, refused.json()["error"])
        own = {"Sec-Fetch-Site": "same-origin"}
        accepted = await http.post("/api/queue/jobs", json=body, headers=own)
        assert 202 == accepted.status_code
        job = accepted.headers["location"]
        assert job.startswith("/api/queue/jobs/")
        path, query = job.split("?")
        async with http.stream("GET", f"{path}/events?{query}") as events, asyncio.timeout(60):
            lines = events.aiter_lines()
            assert "waiting" == (await _event(lines))["state"]
            async with app.worker():
                last = [await _event(lines)]
                while last[-1]["state"] != "completed":
                    last.append(await _event(lines))
        assert 200 == (await http.request("DELETE", job, headers=own)).status_code
        assert 422 == (await http.post("/api/queue/jobs", json={"name": "none"}, headers=own)).status_code


async def _event(lines: AsyncIterator[str]) -> dict[str, Any]:
    """The data of the next event."""
    async for line in lines:
        if line.startswith("data:"):
            event: dict[str, Any] = json.loads(line.removeprefix("data:"))
            return event
    raise AssertionError


async def _raw(url: str, request: bytes) -> bytes:
    """The whole answer to these bytes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(url).port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


def test_the_prefixes_differ() -> None:
    """Else these tests would see no wrong link."""
    assert PREFIX not in MOUNT
