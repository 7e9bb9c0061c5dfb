"""The dashboard over both wires on a real Redis, and its users."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.dashboard_client import Browser, browser_of, built

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import FastAPI


@pytest.fixture
async def parts(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[FastAPI, FastAPI]]:
    """The web application and its dashboard, running on the shared Redis, which is empty."""
    web, pages = built(redis_url, monkeypatch)
    async with web.router.lifespan_context(web):
        yield web, pages


@pytest.fixture
async def stranger(parts: tuple[FastAPI, FastAPI]) -> AsyncIterator[Browser]:
    """A visitor without a session."""
    async with browser_of(parts[0]) as browser:
        yield browser


@pytest.fixture
async def ada(stranger: Browser) -> Browser:
    """A user who may do everything."""
    assert 303 == (await stranger.sign_in()).status_code
    return stranger
