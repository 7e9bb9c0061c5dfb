"""A real Chromium whose web push comes from a push service on this machine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import async_playwright

from embedded.google_push import GooglePush
from tests.support.browser import OPTIONS, BrowserSettings, find_chromium
from tests.support.tls import make_certificate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from playwright.async_api import BrowserContext

    from tests.support.desktop import Desktop

# Playwright's own options, without which Chromium asks its push service.
WITHOUT = ["--disable-background-networking", "--disable-component-extensions-with-background-pages"]
RECONNECTED = 240.0  # seconds; cut off soon after it has connected, Chromium waits 30 s, then 60 s, then 120 s


@pytest.fixture
async def google_push(tmp_path: Path) -> AsyncIterator[GooglePush]:
    """A running push service for Chromium."""
    folder = tmp_path / "google-push"
    folder.mkdir()
    service = GooglePush(*make_certificate(folder, "127.0.0.1"))
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
async def push_chromium(google_push: GooglePush, desktop: Desktop, tmp_path: Path) -> AsyncIterator[BrowserContext]:
    """Chromium with an empty profile, whose notifications are on `desktop`.

    A context of the fixture `chromium` is a private window, which has no web push.
    """
    path = find_chromium(BrowserSettings())
    options = [option for option in OPTIONS if option not in WITHOUT] + google_push.switches
    async with async_playwright() as playwright:
        context = await playwright.chromium.launch_persistent_context(
            tmp_path / "chromium",
            executable_path=path,
            args=options,
            ignore_default_args=WITHOUT,
            env={**os.environ, "DBUS_SESSION_BUS_ADDRESS": desktop.address},  # noqa: TID251 -- the child's, with one more
        )
        yield context
        await context.close()
