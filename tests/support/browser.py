"""A real Chromium, without a window."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 -- pydantic reads it
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import async_playwright

from tests.support.programs import CiSettings, find_program

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]  # root's Chromium has no sandbox
MISSING = "there is no Chromium: install it, or set CHROMIUM to its path"


class BrowserSettings(CiSettings):
    """`chromium` is its path, if it is not found by name."""

    chromium: Path | None = None


def find_chromium(settings: BrowserSettings) -> str:
    """The path of Chromium. Without one the test is skipped, or fails in CI."""
    return find_program(settings, MISSING, *NAMES, given=settings.chromium)


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    """The browser; it keeps nothing from test to test."""
    path = find_chromium(BrowserSettings())
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=OPTIONS)
        yield browser
        await browser.close()
