"""A real Chromium, without a window."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path  # noqa: TC003 -- pydantic reads it
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import async_playwright

from tests.support.programs import CiSettings, find_program

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

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


@pytest.fixture(scope="session")
def chromium_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a browser that runs for the session: to start one takes a second of a processor."""
    options = {"executablePath": find_chromium(BrowserSettings()), "args": OPTIONS, "headless": True}
    config = tmp_path_factory.mktemp("chromium") / "options.json"
    config.write_text(json.dumps(options))
    process = subprocess.Popen(
        [sys.executable, "-m", "playwright", "launch-server", "--browser", "chromium", "--config", str(config)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    with process:
        assert process.stdout is not None
        yield process.stdout.readline().decode().strip()
        os.killpg(process.pid, signal.SIGTERM)


@pytest.fixture
async def chromium(chromium_address: str) -> AsyncIterator[Browser]:
    """The browser; it keeps nothing from test to test."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.connect(chromium_address)
        yield browser
        await browser.close()
