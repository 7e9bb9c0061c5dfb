"""Web push in a real Firefox: subscribed by a page, sent by the real worker, shown and clicked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.firefox import Firefox
from tests.support.polling import until

if TYPE_CHECKING:
    from pathlib import Path

    from embedded.mozilla_push import MozillaPush
    from tests.support.app import App
    from tests.support.push_page import PushPage

pytestmark = pytest.mark.matrix  # tests of the example app show the same in this browser

SHOWN = """const registration = await navigator.serviceWorker.ready;
    return (await registration.getNotifications()).map(({title, body}) => [title, body])"""


async def subscribed(firefox: Firefox, page: PushPage) -> str:
    """Click on the page's button, and allow it; returns the endpoint."""
    await firefox.open(page.url)
    await firefox.click("button")
    await firefox.answer_prompt()
    await firefox.seen("output", "subscribed")
    [endpoint] = page.endpoints
    return endpoint


async def test_a_push_is_shown_and_its_click_opens_its_page(app: App, firefox: Firefox, push_page: PushPage) -> None:
    """From the click on the button, over the browser's own question, to the page of the message."""
    await subscribed(firefox, push_page)
    async with app.worker():
        result = await push_page.push(title="Ada Lovelace", body="Grüße 👋", url="/messages/7")

    assert 1 == result["sent"]
    assert [["Ada Lovelace", "Grüße 👋"]] == await firefox.alerts()
    assert [["Ada Lovelace", "Grüße 👋"]] == await firefox.run(SHOWN)

    await firefox.click_alert()

    await firefox.opened(push_page.url + "/messages/7")
    assert [] == await firefox.run(SHOWN)


async def test_a_push_waits_for_firefox(
    app: App, firefox_program: str, mozilla_push: MozillaPush, push_page: PushPage, tmp_path: Path
) -> None:
    """What is sent while it does not run is shown after its next start."""
    async with Firefox(firefox_program, tmp_path / "profile", mozilla_push.url) as firefox:
        await subscribed(firefox, push_page)
    await until(lambda: mozilla_push.connected == 0)
    async with app.worker():
        await push_page.push(title="While you were away")

    async with Firefox(firefox_program, tmp_path / "profile", mozilla_push.url) as firefox:
        assert [["While you were away", ""]] == await firefox.alerts()


async def test_a_restart_of_the_push_service_loses_nothing(
    app: App, firefox: Firefox, mozilla_push: MozillaPush, push_page: PushPage
) -> None:
    """Firefox comes back with its uaid, and keeps its subscription."""
    endpoint = await subscribed(firefox, push_page)

    await mozilla_push.stop()
    await mozilla_push.start(int(mozilla_push.origin.rpartition(":")[2]))
    async with app.worker():
        await push_page.push(title="After the restart")

    assert [["After the restart", ""]] == await firefox.alerts()
    assert [endpoint] == push_page.endpoints


async def test_an_ended_subscription_is_renewed(
    app: App, firefox: Firefox, mozilla_push: MozillaPush, push_page: PushPage
) -> None:
    """When the service has lost its data, Firefox tells the service worker, which subscribes again by itself."""
    endpoint = await subscribed(firefox, push_page)

    await mozilla_push.forget()
    await until(lambda: push_page.endpoints != [endpoint])
    async with app.worker():
        result = await push_page.push(title="To the new endpoint")

    assert (1, 1) == (result["sent"], result["total"])
    assert [["To the new endpoint", ""]] == await firefox.alerts()


async def test_the_row_of_an_unsubscribed_browser_is_deleted(
    app: App, firefox: Firefox, mozilla_push: MozillaPush, push_page: PushPage
) -> None:
    """The service answers the worker's next push with 410, and the row goes."""
    await subscribed(firefox, push_page)
    await firefox.run("await (await (await navigator.serviceWorker.ready).pushManager.getSubscription()).unsubscribe()")
    await until(lambda: mozilla_push.passed("unregister"))

    async with app.worker():
        result = await push_page.push(title="To nobody")

    assert (0, 1) == (result["sent"], result["pruned"])
    assert [] == push_page.endpoints


@pytest.mark.parametrize("declarative", ["", "1"])
async def test_the_largest_payload_is_shown(
    app: App, firefox: Firefox, mozilla_push: MozillaPush, push_page: PushPage, declarative: str
) -> None:
    """A body that fills the largest message arrives with an ellipsis where it was cut, in both shapes."""
    await subscribed(firefox, push_page)
    async with app.worker(PUSH_MAX_PAYLOAD="3993", PUSH_DECLARATIVE=declarative):
        await push_page.push(title="Long", body="ü" * 4000, url=push_page.url + "/messages/8")

    [[title, _]] = await firefox.alerts()  # on the screen it shortens the body once more
    [[_, body]] = await firefox.run(SHOWN)
    assert "Long" == title
    assert body == "ü" * (len(body) - 1) + "…"
    assert 3993 - 250 < len(body.encode()) <= 3993
    [ack] = mozilla_push.passed("ack")
    assert 100 == ack.code

    await firefox.click_alert()

    await firefox.opened(push_page.url + "/messages/8")


async def test_a_refused_permission_subscribes_nobody(
    firefox: Firefox, mozilla_push: MozillaPush, push_page: PushPage
) -> None:
    """The page learns of it, and the push service of nothing."""
    await firefox.open(push_page.url)
    await firefox.click("button")
    await firefox.answer_prompt(allow=False)

    await firefox.seen("output", "NotAllowedError")

    assert [] == push_page.endpoints
    assert [] == mozilla_push.passed("register")
