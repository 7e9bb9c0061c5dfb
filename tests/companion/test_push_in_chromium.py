"""The service worker in a real Chromium, which DevTools hand the text of a message: also what no worker sends.

`test_use_push_in_chromium.py` goes the whole way.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.polling import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser, Page

    from tests.support.app import App
    from tests.support.push_page import PushPage
    from tests.support.push_service import PushService

pytestmark = pytest.mark.matrix  # tests of the example app show the same in this browser

REGISTER = """async () => {
    await navigator.serviceWorker.register("/sw.js");
    await navigator.serviceWorker.ready;
}"""
SHOWN = """async () => {
    const registration = await navigator.serviceWorker.ready;
    const shown = await registration.getNotifications();
    return shown.map(({title, body, tag, icon}) => ({title, body, tag, icon: new URL(icon).pathname}));
}"""


class Delivery:
    """Hands messages to the service worker of a page."""

    def __init__(self, page: Page) -> None:
        """Nothing is known before `start`."""
        self._page = page
        self._registrations: list[str] = []

    async def start(self) -> None:
        """Look for the registration."""
        self._tools = await self._page.context.new_cdp_session(self._page)
        self._tools.on("ServiceWorker.workerRegistrationUpdated", self._heard)
        await self._tools.send("ServiceWorker.enable")
        await until(lambda: self._registrations)

    def _heard(self, event: dict[str, Any]) -> None:
        self._registrations += [each["registrationId"] for each in event["registrations"] if not each["isDeleted"]]

    async def deliver(self, origin: str, text: str) -> None:
        """Let the browser receive a push with this text."""
        message = {"origin": origin, "registrationId": self._registrations[-1], "data": text}
        await self._tools.send("ServiceWorker.deliverPushMessage", message)


@asynccontextmanager
async def delivering(browser: Browser, url: str) -> AsyncIterator[tuple[Page, Delivery]]:
    """A page that may show notifications, with its service worker."""
    context = await browser.new_context(base_url=url, permissions=["notifications"])
    page = await context.new_page()
    await page.goto("/")
    await page.evaluate(REGISTER)
    delivery = Delivery(page)
    await delivery.start()
    yield page, delivery
    await context.close()


@pytest.mark.parametrize("declarative", ["", "1"])
async def test_what_the_worker_sends_is_shown(
    app: App, chromium: Browser, push_page: PushPage, push_service: PushService, declarative: str
) -> None:
    """The text that a device decrypts becomes the notification, in both shapes of a payload."""
    device = push_service.subscribe("user-1")
    app.subscribe(device)
    url = push_page.url
    async with app.worker(PUSH_DECLARATIVE=declarative), delivering(chromium, url) as (page, delivery):
        payload = {"title": "Ada", "body": "Grüße 👋", "url": url + "/messages/7", "icon": url + "/icon.png"}
        await push_page.push(**payload, tag="chat-1")
        [text] = push_service.texts(device)
        await delivery.deliver(url, text)

        shown = await until(lambda: page.evaluate(SHOWN))

    assert [{"title": "Ada", "body": "Grüße 👋", "tag": "chat-1", "icon": "/icon.png"}] == shown


@pytest.mark.parametrize("text", ["", "{", "plain text", "[]", '{"title": null}', '{"web_push": 8030}'])
async def test_a_message_of_any_kind_is_shown(chromium: Browser, push_page: PushPage, text: str) -> None:
    """Chromium shows a notification of its own for a push that shows none."""
    async with delivering(chromium, push_page.url) as (page, delivery):
        await delivery.deliver(push_page.url, text)

        titles = await until(
            lambda: page.evaluate(
                "async () => (await (await navigator.serviceWorker.ready).getNotifications()).map(({title}) => title)"
            )
        )

    assert ["New notification"] == titles


async def test_a_private_window_says_that_it_has_no_push(chromium: Browser, push_page: PushPage) -> None:
    """The page gets an error, though the permission is granted, and stores nothing."""
    context = await chromium.new_context(base_url=push_page.url, permissions=["notifications"])
    page = await context.new_page()
    await page.goto("/")
    await page.get_by_role("button").click()

    await until(lambda: page.evaluate("document.querySelector('output').value.endsWith('Error')"))

    assert [] == push_page.endpoints
    await context.close()
