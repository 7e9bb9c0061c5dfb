"""The example app's web push in a real Firefox, from the click on "Notify me" to the chat that a notification opens.

Grace writes in Chromium; the app adds the job, the real worker sends it, and Ada's Firefox shows it.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from bullmq import Queue

from demo.example.app import APP, build, node_env
from demo.example.parts import Parts, parts
from demo.example.site import Process
from scripts.generate_vapid_keys import make_pair
from tests.support import example
from tests.support.example_page import open_chat, signed_in, write
from tests.support.firefox import Firefox
from tests.support.polling import until
from tests.support.ports import free_port
from tests.support.worker_process import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import Browser

    from embedded.mozilla_push import MozillaPush
    from tests.support.example import Example

SETTINGS = "a[href='/settings']"
NOTIFY_ME = "[data-push=off] + button"
ON = "[data-push=on]"
SIGN_OUT = "section[aria-labelledby=session] button"
ROWS = 'SELECT "id", "userId", "endpoint", "p256dh", "auth" FROM "PushSubscription"'


@pytest.fixture
async def ada(firefox_program: str, example_app: Example, tmp_path: Path) -> AsyncIterator[Firefox]:
    """Ada's new Firefox, signed in. Nobody has a subscription yet."""
    example_app.sql('DELETE FROM "PushSubscription"')
    async with Firefox(firefox_program, tmp_path / "profile", example_app.push.url) as firefox:
        await sign_in(firefox, example_app.url)
        yield firefox


async def sign_in(firefox: Firefox, url: str) -> None:
    """Sign in as Ada."""
    await firefox.open(f"{url}/sign-in")
    await firefox.click("button[value=Ada]")
    await firefox.seen("nav[aria-label=People]")


async def subscribed(firefox: Firefox, app: Example) -> dict[str, Any]:
    """Click on "Notify me", and allow it; returns the row."""
    await switch_on(firefox)
    [row] = app.sql(ROWS)
    assert app.user("Ada") == row["userId"]
    return row


async def switch_on(firefox: Firefox) -> None:
    """The same, without a look at the row."""
    await firefox.click(SETTINGS)
    await firefox.click(NOTIFY_ME)
    await firefox.answer_prompt()
    await firefox.seen(ON)


async def grace_writes(chromium: Browser, app: Example, text: str) -> None:
    """Grace writes to Ada in a browser of her own."""
    async with signed_in(chromium, app, "Grace") as page:
        await open_chat(page, "Ada")
        await write(page, "Ada", text)


@pytest.mark.matrix
async def test_a_message_is_shown_and_a_click_opens_its_chat(
    example_app: Example, ada: Firefox, chromium: Browser
) -> None:
    """The browser asks only after the click; the notification has the sender's name and the sent text."""
    await ada.click(SETTINGS)
    await ada.seen(NOTIFY_ME)
    assert "default" == await ada.run("return Notification.permission")
    await subscribed(ada, example_app)

    await grace_writes(chromium, example_app, "Grüße 👋, are you there?")

    assert [["Grace", "Grüße 👋, are you there?"]] == await ada.alerts()

    await ada.click_alert()

    await ada.opened(f"{example_app.url}/chat/{example_app.user('Grace')}")
    await ada.seen("main", "are you there?")


@pytest.mark.matrix
async def test_signing_out_ends_the_subscription(example_app: Example, ada: Firefox, chromium: Browser) -> None:
    """Row and channel go. If the app had kept the row, the worker would prune it with the next message."""
    row = await subscribed(ada, example_app)

    await ada.click(SIGN_OUT)

    await ada.seen("button[value=Ada]")
    await until(lambda: not example_app.sql(ROWS))
    await until(lambda: example_app.push.passed("unregister"))

    values = (*row.values(), "2026-01-01")
    columns = '"id", "userId", "endpoint", "p256dh", "auth", "updatedAt"'
    example_app.sql(f'INSERT INTO "PushSubscription" ({columns}) VALUES (?, ?, ?, ?, ?, ?)', *values)  # noqa: S608
    await grace_writes(chromium, example_app, "Too late")
    await until(lambda: not example_app.sql(ROWS))
    assert example_app.push.passed("refused", 410)


@pytest.mark.matrix
async def test_a_subscription_that_the_service_ended_is_renewed(
    example_app: Example, ada: Firefox, chromium: Browser
) -> None:
    """Firefox wakes the service worker, which subscribes again, and the row gets the new endpoint."""
    row = await subscribed(ada, example_app)

    example_app.forget_browsers()

    await until(lambda: [each["endpoint"] for each in example_app.sql(ROWS)] not in ([row["endpoint"]], []))
    [renewed] = example_app.sql(ROWS)
    assert (row["id"], row["userId"]) == (renewed["id"], renewed["userId"])
    await grace_writes(chromium, example_app, "To the new endpoint")
    assert [["Grace", "To the new endpoint"]] == await ada.alerts()


@pytest.mark.matrix
async def test_a_refused_permission_is_said(example_app: Example, ada: Firefox) -> None:
    """The page says that notifications are blocked, and offers no button."""
    await ada.click(SETTINGS)
    await ada.click(NOTIFY_ME)
    await ada.answer_prompt(allow=False)

    await ada.seen("[data-push=denied]", "blocked")
    assert [] == example_app.sql(ROWS)


@pytest.mark.matrix
async def test_a_new_vapid_key_replaces_the_subscription(
    firefox_program: str, mozilla_push: MozillaPush, tmp_path: Path
) -> None:
    """Until the page is open again, the worker sends with the previous key; then with the new one, to one row."""
    example.require()
    await asyncio.to_thread(build, tmp_path / "build.log")
    port = free_port()
    url = f"http://localhost:{port}"
    with parts() as old:
        new = replace(old, vapid=make_pair())
        async with Firefox(firefox_program, tmp_path / "profile", mozilla_push.url) as firefox:
            async with serving(old, port, tmp_path):
                await sign_in(firefox, url)
                await switch_on(firefox)
                earlier = endpoints(old)
                await firefox.open("about:blank")  # an open page hears of the new key by itself
            async with serving(new, port, tmp_path, VAPID_PREVIOUS_PRIVATE_KEYS=old.vapid[0]):
                await send(new, "With the previous key")
                assert ["With the previous key"] == [title for title, _ in await firefox.alerts()]
                assert earlier == endpoints(new)

                await firefox.open(f"{url}/settings")
                await until(lambda: endpoints(new) not in (earlier, []))
                await send(new, "With the new key")
                assert ["With the previous key", "With the new key"] == [title for title, _ in await firefox.alerts(2)]
    assert 1 == len(mozilla_push.passed("unregister"))
    assert [403] == [event.code for event in mozilla_push.passed("refused")]  # the worker tries its new key first


@asynccontextmanager
async def serving(made: Parts, port: int, logs: Path, **env: str) -> AsyncIterator[None]:
    """The app and a worker with these keys."""
    command = ("node", "node_modules/next/dist/bin/next", "start", "--hostname", "127.0.0.1", "--port", str(port))
    app = Process("app", command, APP, logs)
    worker_env = made.worker_env() | {"QUEUES": "push-notifications"} | env
    async with app.started(node_env() | made.app_env("")), WorkerProcess(worker_env, made.folder):
        await app.listens(port)
        yield


def endpoints(made: Parts) -> list[str]:
    """The stored ones."""
    return [row["endpoint"] for row in example.rows(made.database, ROWS)]


async def send(made: Parts, title: str) -> None:
    """Push to Ada."""
    [ada] = example.rows(made.database, 'SELECT "id" FROM "User" WHERE "name" = ?', "Ada")
    queue = Queue("push-notifications", {"connection": made.redis.url})
    await queue.add("push-notification", {"userId": ada["id"], "payload": {"title": title}})
    await queue.close()
