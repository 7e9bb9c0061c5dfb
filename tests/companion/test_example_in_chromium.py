"""The example app's web push in a real Chromium, from the click on "Notify me" to the notification.

Grace writes in another Chromium; the app adds the job, the real worker sends it, and Ada's Chromium decrypts it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.example_page import PATIENCE, open_chat, signed_in, write
from tests.support.polling import until
from tests.support.push_chromium import RECONNECTED

if TYPE_CHECKING:
    from playwright.async_api import Browser, BrowserContext

    from embedded.google_push import GooglePush
    from tests.support.example import Example

ROW = 'SELECT "userId", "endpoint" FROM "PushSubscription"'
SHOWN = """async () => {
    const registration = await navigator.serviceWorker.ready;
    const shown = await registration.getNotifications();
    return shown.map(({title, body, data}) => [title, body, data.url]);
}"""


async def test_a_message_is_shown(
    example_app: Example, push_chromium: BrowserContext, google_push: GooglePush, chromium: Browser
) -> None:
    """The notification has the sender's name, the sent text, and the chat that a click opens."""
    example_app.sql('DELETE FROM "PushSubscription"')
    push_chromium.set_default_timeout(PATIENCE)
    await push_chromium.grant_permissions(["notifications"], origin=example_app.url)
    page = await push_chromium.new_page()
    await page.goto(f"{example_app.url}/sign-in")
    await page.get_by_role("button", name="Ada", exact=True).click()
    await page.get_by_role("link", name="Settings").click()
    await page.get_by_role("button", name="Notify me").click()
    await page.get_by_text("This device gets a notification").wait_for()

    [row] = example_app.sql(ROW)
    assert example_app.user("Ada") == row["userId"]
    assert "/fcm/send/" in row["endpoint"]
    example_app.sql('UPDATE "PushSubscription" SET "endpoint" = ?', google_push.here(row["endpoint"]))
    async with signed_in(chromium, example_app, "Grace") as graces:
        await open_chat(graces, "Ada")
        await write(graces, "Ada", "Grüße 👋")

    shown = await until(lambda: page.evaluate(SHOWN), RECONNECTED)

    assert [["Grace", "Grüße 👋", f"/chat/{example_app.user('Grace')}"]] == shown
