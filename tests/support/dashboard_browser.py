"""The dashboard in a real Chromium, as people use it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from playwright.async_api import expect

from tests.support.dashboard_client import FULL, SECRET
from tests.support.web_process import web_process

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from playwright.async_api import Browser, Locator, Page

    from tests.support.wires import Mess

HOME = "/admin/queues"
AGAIN = 6_000  # milliseconds: a page asks again every five seconds


@asynccontextmanager
async def opened(browser: Browser, url: str, expected: Sequence[str] = ("401",), **options: Any) -> AsyncIterator[Page]:
    """A page in a browser of its own.

    An error in the browser's console, such as a breach of the policy, is an error.
    """
    context = await browser.new_context(base_url=url, **options)
    page, complaints = await context.new_page(), []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    await context.close()
    assert [] == [each for each in complaints if not any(word in each for word in expected)]


async def sign_in(page: Page, secret: str = SECRET) -> None:
    """Through the form."""
    await page.goto(HOME)
    await page.get_by_label("API token").fill(secret)
    await page.get_by_role("button", name="Sign in").click()


async def act(place: Page | Locator, label: str) -> None:
    """Press a button, and answer its question."""
    await place.get_by_role("button", name=label, exact=True).first.click()
    await place.get_by_role("dialog", name=label).get_by_role("button", name=label, exact=True).click()


async def refreshed(page: Page) -> None:
    """The page after it has updated itself."""
    async with page.expect_response(page.url):
        await page.clock.fast_forward(AGAIN)


@asynccontextmanager
async def operating(browser: Browser, mess: Mess, **options: Any) -> AsyncIterator[Page]:
    """The page of a signed-in user of a `web.py` over this Redis, with a clock that tests set forward."""
    process, url = web_process(mess.url, mess.folder, FULL)
    async with process, opened(browser, url, **options) as page:
        await page.clock.install()
        await sign_in(page)
        await expect(page.get_by_role("heading", name="Queues")).to_be_visible()
        yield page
