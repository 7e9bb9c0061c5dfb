"""The example app in Chromium, on a phone."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from playwright.async_api import expect

from tests.support.polling import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, Locator, Page

    from tests.support.example import Example

PHONE = {"width": 390, "height": 844}
NARROW = "[...document.querySelectorAll('html, .cards')].every((each) => each.scrollWidth <= each.clientWidth)"
PATIENCE = 60_000.0  # milliseconds
# What React has put to the elements whose events it hears.
HEARD = (
    """selector => Object.keys(document.querySelector(selector) ?? {}).some(key => key.startsWith("__reactProps$"))"""
)


@asynccontextmanager
async def signed_in(chromium: Browser, app: Example, name: str) -> AsyncIterator[Page]:
    """A phone's browser of its own, in which this user has signed in. A fault in a script fails the test."""
    context = await chromium.new_context(viewport=PHONE, base_url=app.url, has_touch=True)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE)
    faults: list[str] = []
    page = await context.new_page()
    page.on("pageerror", lambda error: faults.append(str(error)))
    await page.goto("/sign-in")
    await page.get_by_role("button", name=name, exact=True).click()
    await page.wait_for_url(f"{app.url}/")
    yield page
    await context.close()
    assert [] == faults


def bell(page: Page, name: str) -> Locator:
    """The bell in the bar of what is chosen, while it has this name."""
    return page.get_by_role("main").get_by_role("button", name=name, exact=True)


async def listening(page: Page, path: str) -> None:
    """Open a page, and wait until it hears live messages."""
    stream = "text/event-stream"
    async with page.expect_response(lambda answer: stream in answer.headers.get("content-type", "")):
        await page.goto(path)


async def fits(page: Page) -> bool:
    """Whether the page needs no scrolling to the side."""
    return bool(await page.evaluate(NARROW))


async def open_chat(page: Page, name: str) -> None:
    """Open the chat with this user from the list of people."""
    await page.goto("/")
    await page.get_by_role("navigation", name="People").get_by_role("link").filter(has_text=name).click()
    await page.get_by_role("heading", name=name).wait_for()
    await hydrated(page)


async def hydrated(page: Page, selector: str = "input[type=file]") -> None:
    """Wait until the page hears this element: what is chosen or clicked before, on a busy machine, is lost."""
    await until(lambda: page.evaluate(HEARD, selector), why=f"nothing hears {selector}")


async def write(page: Page, name: str, text: str) -> None:
    """Send a message in the open chat, and wait until it is shown."""
    field = page.get_by_label(f"Message to {name}")
    await field.fill(text)
    await page.get_by_role("button", name="Send", exact=True).click()
    await expect(field).to_have_value("", timeout=PATIENCE)  # the page has taken it
    await page.get_by_role("listitem").filter(has_text=text).wait_for()
