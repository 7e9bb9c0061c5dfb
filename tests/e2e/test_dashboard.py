"""The dashboard as people use it: a real Chromium, web.py, worker.py, and jobs of both wires."""

from __future__ import annotations

import itertools
import re
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path  # noqa: TC003 -- pydantic reads it
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from playwright.async_api import expect
from pydantic_settings import BaseSettings, SettingsConfigDict

from queue_lib.api import tokens
from tests.support.browser import BrowserSettings, find_chromium
from tests.support.showcase import FILES, IMAGE, fill
from tests.support.web_process import web_process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from playwright.async_api import Browser, Locator, Page, ViewportSize

    from tests.support.app import App
    from tests.support.wires import Mess

SECRET, FULL = tokens.make("ada", may_write=True)
READ_SECRET, READ = tokens.make("viewer", may_write=False)
HOME = "/admin/queues"
AGAIN = 6_000  # milliseconds: a page asks again every five seconds
SIZES: dict[str, ViewportSize] = {"desktop": {"width": 1180, "height": 820}, "phone": {"width": 390, "height": 844}}
SHOWN = ("overview", "job-")  # in docs/dashboard.md
LARGEST = 100 * 1024  # bytes of a screenshot


class ScreenshotSettings(BaseSettings):
    """`screenshots` is the folder that they are written to; without it they are looked at and thrown away."""

    model_config = SettingsConfigDict(env_ignore_empty=True)

    screenshots: Path | None = None


@asynccontextmanager
async def opened(browser: Browser, url: str, expected: Sequence[str] = ("401",), **options: Any) -> AsyncIterator[Page]:
    """A page in a browser of its own. What the browser complains of, such as a breach of the policy, is an error."""
    context = await browser.new_context(base_url=url, **options)
    page, complaints = await context.new_page(), []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    await context.close()
    assert [] == [each for each in complaints if not any(word in each for word in expected)]


async def sign_in(page: Page, secret: str = SECRET) -> None:
    """By the form."""
    await page.goto(HOME)
    await page.get_by_label("API token").fill(secret)
    await page.get_by_role("button", name="Sign in").click()


async def act(place: Page | Locator, label: str) -> None:
    """Press a button, and answer the question that it asks."""
    await place.get_by_role("button", name=label, exact=True).first.click()
    await place.get_by_role("form", name=label).get_by_role("button", name=label, exact=True).click()


async def refreshed(page: Page) -> None:
    """The page as it is once it has asked again, of itself."""
    async with page.expect_response(page.url):
        await page.clock.fast_forward(AGAIN)


async def test_dead_letters_are_read_and_replayed(app: App, mess: Mess, chromium: Browser) -> None:
    """Sign in, see jobs of both wires fail, upload what was missing, replay each letter, and see the jobs done."""
    process, url = web_process(mess.url, app.folder, FULL)
    task = {"fileId": "cm1", "filePath": "uploads/cm1.png", "userId": "u1"}
    async with app.worker() as worker, process, opened(chromium, url) as page:
        await page.clock.install()
        await sign_in(page, "wrong")
        await expect(page.get_by_role("alert")).to_have_text("No entry of API_TOKENS is this token's.")
        await sign_in(page)
        await expect(page.get_by_text("0 dead letters")).to_be_visible()
        await mess.bullmq("process-image", task, queue=FILES.name)
        mess.rq("process-image", task, queue=FILES.name)
        await worker.logged("job_dead", 2)
        await refreshed(page)
        await expect(page.get_by_text("2 dead letters")).to_be_visible()
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
    """Read the letter of a wire and its job, replay it, and go to the job."""
    await page.get_by_role("link", name="Dead letters", exact=True).click()
    await page.get_by_role("row").filter(has_text=wire).get_by_role("link", name="process-image").click()
    await expect(page.get_by_role("region", name="Stack trace")).to_contain_text("PermanentError: nothing is stored")
    await page.get_by_role("link", name="look").click()
    await expect(page.get_by_role("region", name="Payload")).to_contain_text('"filePath": "uploads/cm1.png"')
    job = page.url
    await page.go_back()
    await act(page, "Replay")
    await expect(page.get_by_role("status")).to_contain_text("The job runs again")
    await page.goto(job)


@pytest.mark.parametrize("script", [True, False])
async def test_a_queue_is_paused_and_resumed(app: App, mess: Mess, chromium: Browser, script: bool) -> None:
    """What is enqueued meanwhile waits, which the page shows; it all works without script, too."""
    process, url = web_process(mess.url, app.folder, FULL)
    key = app.upload("cm1")
    async with app.worker() as worker, process, opened(chromium, url, java_script_enabled=script) as page:
        await page.clock.install()
        await sign_in(page)
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
        await page.get_by_role("link", name="file-processing").click()
        await expect(page.get_by_role("link", name="process-image")).to_be_visible()
        await act(page, "Resume")
        await worker.logged("job_done", 1)
    assert ["ada"] == [line["by"] for line in process.lines("queue_resumed")]


async def test_who_may_only_look_has_no_buttons(mess: Mess, tmp_path: Path, chromium: Browser) -> None:
    """Everything is there but what acts."""
    await fill(mess)
    process, url = web_process(mess.url, tmp_path, READ)
    async with process, opened(chromium, url) as page:
        await sign_in(page, READ_SECRET)
        await expect(page.get_by_text("read-only")).to_be_visible()
        await page.goto(f"{HOME}/queue/{FILES.name}?state=failed")
        await page.get_by_role("link", name="process-image").first.click()
        await expect(page.get_by_role("region", name="Stack trace")).to_contain_text("Traceback")
        assert ["Sign out"] == await page.get_by_role("button").all_inner_texts()
        await page.get_by_role("button", name="Sign out").click()
        await page.goto(HOME)
        await expect(page.get_by_label("API token")).to_be_focused()


async def test_a_link_from_elsewhere_finds_who_is_signed_in(mess: Mess, tmp_path: Path, chromium: Browser) -> None:
    """The first request of such a link has no cookie, as SameSite=Strict wants it; the page's own has."""
    process, url = web_process(mess.url, tmp_path, FULL)
    async with process, opened(chromium, url) as page:
        await sign_in(page)
        await page.goto("data:text/html,<a href='" + f"{url}{HOME}/workers" + "'>from elsewhere</a>")
        await page.get_by_text("from elsewhere").click()
        await expect(page.get_by_role("heading", name="Workers")).to_be_visible()


async def test_the_server_goes_away_and_comes_back(mess: Mess, tmp_path: Path, chromium: Browser) -> None:
    """The page keeps what it has shown, says that it is old, and goes on by itself."""
    process, url = web_process(mess.url, tmp_path, FULL)
    async with process, opened(chromium, url, expected=["503"]) as page:
        await page.clock.install()
        await sign_in(page)
        await expect(page.get_by_role("heading", name="Queues")).to_be_visible()
        await page.route("**/admin/queues/", lambda route: route.fulfill(status=503, body=""))
        await refreshed(page)
        await expect(page.get_by_role("status")).to_contain_text("Redis can't be reached. What is shown is from")
        await expect(page.get_by_role("region", name="file-processing")).to_be_visible()
        await page.unroute("**/admin/queues/")
        await refreshed(page)
        await expect(page.get_by_role("status")).to_be_hidden()


async def test_it_fits_and_is_shown_in_the_docs(mess: Mess, tmp_path: Path, chromium: Browser) -> None:
    """No page is wider than the screen; `make screenshots` keeps what it looks like."""
    await fill(mess)
    folder = ScreenshotSettings().screenshots or tmp_path
    process, url = web_process(mess.url, tmp_path, FULL)
    async with process:
        for size, theme in itertools.product(SIZES, ("light", "dark")):
            async with opened(chromium, url, color_scheme=theme, viewport=SIZES[size]) as page:
                await _tour(page, folder, f"{size}-{theme}.png")


async def _tour(page: Page, folder: Path, name: str) -> None:
    """All pages."""
    await page.goto(HOME)
    await _look(page, folder / f"sign-in-{name}")
    await sign_in(page)
    await expect(page.get_by_role("heading", name="Queues")).to_be_visible()
    failed = f"/queue/{FILES.name}?state=failed"
    for kind, path in (("overview", "/"), ("letters", "/letters"), ("workers", "/workers"), ("jobs", failed)):
        await page.goto(f"{HOME}{path}")
        await _look(page, folder / f"{kind}-{name}")
    await page.get_by_role("link", name="process-image").first.click()
    await expect(page.get_by_role("region", name="Stack trace")).to_be_visible()
    await _look(page, folder / f"job-{name}")


async def _look(page: Page, path: Path) -> None:
    """Take the picture, and see that nothing is cut off."""
    await page.evaluate("document.activeElement?.blur()")
    picture = Image.open(BytesIO(await page.screenshot(full_page=True, animations="disabled")))
    assert 0 == await page.evaluate("document.documentElement.scrollWidth - window.innerWidth"), path.name
    if path.name.startswith(SHOWN):
        _keep(picture, path)


def _keep(picture: Image.Image, path: Path) -> None:
    picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    assert path.stat().st_size < LARGEST, path.name


def test_without_a_browser_nothing_is_skipped_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stranger without Chromium is told how to get one; what lands must have been looked at."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CHROMIUM", raising=False)
    with pytest.raises(pytest.skip.Exception, match="there is no Chromium: install it, or set CHROMIUM"):
        find_chromium(BrowserSettings(ci=None))
    with pytest.raises(pytest.fail.Exception, match="there is no Chromium"):
        find_chromium(BrowserSettings(ci="true"))
