"""`pushmill/react` and `pushmill/sw` in a real Chromium, whose push service is one on this machine.

The whole way is real: the browser subscribes, the worker encrypts and sends, the browser decrypts. A driver can't
answer Chromium's question to the user, so it has granted the permission before.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from embedded.push_checks import make_vapid_keys
from tests.support.polling import PATIENCE, until
from tests.support.push_chromium import RECONNECTED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import BrowserContext, Page

    from tests.support.app import App
    from tests.support.desktop import Desktop
    from tests.support.hook_page import HookPage

pytestmark = pytest.mark.matrix  # tests of the example app show the same in this browser

SHOWN = """async (expected) => {
    const registration = await navigator.serviceWorker.ready;
    const shown = await registration.getNotifications();
    return shown.some(({title, body}) => title === expected && body === "Grüße 👋");
}"""
LOSE = """async () => {
    const registration = await navigator.serviceWorker.ready;
    await (await registration.pushManager.getSubscription()).unsubscribe();
}"""
CHANGED = """() => { dispatchEvent(new PushSubscriptionChangeEvent("pushsubscriptionchange")); }"""
ROW = 'SELECT "userId", "endpoint", "p256dh", "auth" FROM "PushSubscription"'
INSERT = """INSERT INTO "PushSubscription" ("userId", "endpoint", "p256dh", "auth", "id") VALUES (?, ?, ?, ?, 'back')"""
POST, DELETE = "POST", "DELETE"


@asynccontextmanager
async def opened(context: BrowserContext, site: HookPage, query: str = "") -> AsyncIterator[Page]:
    """The page in a tab. A complaint of React's, such as one about the first render, is an error."""
    await context.grant_permissions(["notifications"], origin=site.url)
    page, complaints = await context.new_page(), []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(f"{site.url}/{query}")
    yield page
    await page.close()
    assert [] == [each for each in complaints if "Failed to load resource" not in each]


async def reads(page: Page, state: str) -> None:
    """Wait until both components say so."""
    for name in ("state", "again"):
        await expect(page.locator(f"#{name}")).to_have_text(state, timeout=PATIENCE * 1000)


async def subscribed(page: Page) -> None:
    """Click on the button."""
    await reads(page, "off")
    await page.get_by_role("button").click()
    await reads(page, "on")
    await expect(page.locator("#error")).to_have_text("")


async def arrives(app: App, site: HookPage, page: Page, title: str, **env: str) -> None:
    """Let the worker send a push, and wait until the browser shows it."""
    async with app.worker(**env):
        result = await site.push(title=title, body="Grüße 👋", url="/messages/7")
    assert (1, 1) == (result["sent"], result["total"])
    await until(lambda: page.evaluate(SHOWN, title), RECONNECTED, why=f"{title} is not shown")


async def test_from_the_click_to_the_notification(app: App, push_chromium: BrowserContext, hook_page: HookPage) -> None:
    """The page subscribes in the click and tells the server; what the worker sends is shown, and sent once only."""
    async with opened(push_chromium, hook_page) as page:
        await subscribed(page)
        await arrives(app, hook_page, page, "Ada Lovelace")
        await page.reload()
        await reads(page, "on")

    assert [POST] == [method for method, _ in hook_page.asked]


async def test_a_click_opens_the_page_of_the_message(
    app: App, push_chromium: BrowserContext, hook_page: HookPage, desktop: Desktop
) -> None:
    """A click on the notification takes the open page there."""
    async with opened(push_chromium, hook_page) as page:
        await subscribed(page)
        await page.reload()  # the service worker controls it from now on
        await reads(page, "on")
        await arrives(app, hook_page, page, "Ada Lovelace")
        [shown] = desktop.shown.values()
        assert ("Ada Lovelace", True) == (shown.title, shown.body.endswith("Grüße 👋"))

        desktop.click(shown)

        await page.wait_for_url(hook_page.url + "/messages/7", timeout=PATIENCE * 1000)
        await until(lambda: not desktop.shown)


async def test_a_click_opens_a_page_beside_one_that_is_not_controlled(
    app: App, push_chromium: BrowserContext, hook_page: HookPage, desktop: Desktop
) -> None:
    """The page that has just registered the service worker is such a page."""
    async with opened(push_chromium, hook_page) as page:
        await subscribed(page)
        await arrives(app, hook_page, page, "Ada Lovelace")
        async with push_chromium.expect_page(timeout=PATIENCE * 1000) as opening:
            desktop.click(next(iter(desktop.shown.values())))

        assert hook_page.url + "/messages/7" == (await opening.value).url


async def test_a_click_without_a_page_opens_one(
    app: App, push_chromium: BrowserContext, hook_page: HookPage, desktop: Desktop
) -> None:
    """So does a click on an action with a URL of its own."""
    async with opened(push_chromium, hook_page) as page:
        await subscribed(page)
    action = {"action": "reply", "title": "Reply", "url": "/messages/7?reply"}
    async with app.worker():
        await hook_page.push(title="Ada Lovelace", url="/messages/7", tag="chat", actions=[action])
    [shown] = await until(lambda: list(desktop.shown.values()), RECONNECTED)
    labels = dict(zip(shown.actions[::2], shown.actions[1::2], strict=True))
    [reply] = [name for name, label in labels.items() if label == "Reply"]

    async with push_chromium.expect_page(timeout=PATIENCE * 1000) as opening:
        desktop.click(shown, reply)

    assert hook_page.url + "/messages/7?reply" == (await opening.value).url


async def test_a_new_key_makes_a_new_subscription(app: App, push_chromium: BrowserContext, hook_page: HookPage) -> None:
    """When the page is opened with another VAPID key, the row of the old one is replaced, with no click."""
    private, public = make_vapid_keys()
    async with opened(push_chromium, hook_page) as page:
        await subscribed(page)
    async with opened(push_chromium, hook_page, f"?key={public}") as page:
        await reads(page, "on")
        await arrives(app, hook_page, page, "New key", VAPID_PRIVATE_KEY=private, VAPID_PUBLIC_KEY=public)

    (_, old), (_, new) = hook_page.asked
    assert old != new


async def test_signing_out_ends_the_subscription(app: App, push_chromium: BrowserContext, hook_page: HookPage) -> None:
    """The row goes, and the push service takes no message for it any more. The next click subscribes anew."""
    async with opened(push_chromium, hook_page) as page:
        await subscribed(page)
        [row] = app.sql(ROW)
        await page.evaluate("signOutOfPush()")
        await reads(page, "off")
        assert [] == hook_page.endpoints

        app.sql(INSERT, *row)  # as if the server had not heard of it
        async with app.worker():
            result = await hook_page.push(title="To nobody")
        assert (0, 1) == (result["sent"], result["pruned"])

        await subscribed(page)

    assert [POST, DELETE, POST] == [method for method, _ in hook_page.asked]


async def test_a_lost_subscription_is_made_again(app: App, push_chromium: BrowserContext, hook_page: HookPage) -> None:
    """Browsers lose subscriptions without a word: the next start of the page makes another one."""
    async with opened(push_chromium, hook_page) as page:
        await subscribed(page)
        await page.evaluate(LOSE)
        await page.reload()
        await reads(page, "on")
        await arrives(app, hook_page, page, "Found again")


async def test_the_service_worker_makes_a_lost_subscription_again(
    app: App, push_chromium: BrowserContext, hook_page: HookPage
) -> None:
    """An event without subscriptions, as older browsers send it: the key is the one that the page has kept.

    The browser sends the event when the user takes the permission back and gives it again, which no driver can do.
    """
    async with opened(push_chromium, hook_page) as page:
        await subscribed(page)
        await page.evaluate(LOSE)
        [worker] = push_chromium.service_workers
        await worker.evaluate(CHANGED)
        await until(lambda: len(hook_page.asked) > 1)
        await arrives(app, hook_page, page, "Renewed")
        await page.reload()
        await reads(page, "on")

    assert [POST, POST] == [method for method, _ in hook_page.asked]


async def test_another_user_of_the_browser_takes_the_subscription(
    push_chromium: BrowserContext, hook_page: HookPage, app: App
) -> None:
    """The same endpoint is sent at once, for the new user."""
    async with opened(push_chromium, hook_page, "?user=user-1") as page:
        await subscribed(page)
    hook_page.user = "user-2"
    async with opened(push_chromium, hook_page, "?user=user-2") as page:
        await reads(page, "on")

    (_, first), (_, second) = hook_page.asked
    assert first == second
    assert ["user-2"] == [user for user, *_ in app.sql(ROW)]


async def test_without_a_session_the_page_says_so(push_chromium: BrowserContext, hook_page: HookPage) -> None:
    """The server's own line is the error."""
    hook_page.user = None
    async with opened(push_chromium, hook_page) as page:
        await reads(page, "off")
        await page.get_by_role("button").click()
        await expect(page.locator("#error")).to_contain_text("401 sign in first", timeout=PATIENCE * 1000)
        await reads(page, "off")
