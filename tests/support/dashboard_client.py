"""A browser without a screen: it keeps cookies and sends forms, and each answer must have the dashboard's headers."""

from __future__ import annotations

import re
import time
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx

from processors.features import FEATURES
from queue_lib import wiring
from queue_lib.serving import showings_of
from queue_lib.settings import WorkerSettings, load
from queue_lib.web import tokens
from queue_lib.web.api.app import build
from queue_lib.web.dashboard.addresses import PREFIX
from queue_lib.web.dashboard.app import install
from queue_lib.web.headers import DASHBOARD_HEADERS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest
    from fastapi import FastAPI

SECRET, FULL = tokens.make("ada", may_write=True)
READ_SECRET, READ = tokens.make("viewer", may_write=False)
SITE = "http://ops.example"


class Browser:
    """Keeps cookies and sends forms as a browser does; each answer must have the headers of the dashboard."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def get(self, path: str, **options: Any) -> httpx.Response:
        """Look at a page."""
        return self._checked(await self.http.get(f"{PREFIX}{path}", **options))

    async def post(self, path: str, form: dict[str, str], **headers: str) -> httpx.Response:
        """Send a form from a page of the same site; `headers` win."""
        sent = {"Origin": SITE, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self._checked(await self.http.post(f"{PREFIX}{path}", data=form, headers=sent))

    async def sign_in(self, secret: str = SECRET, **form: str) -> httpx.Response:
        """Through the form."""
        page = await self.get("/login")
        return await self.post("/login", {"token": secret, "csrf": csrf(page), **form})

    async def act(self, path: str, **form: str) -> httpx.Response:
        """Send a form with the overview's CSRF token."""
        return await self.post(path, {"csrf": csrf(await self.get("/")), **form})

    @staticmethod
    def _checked(answer: httpx.Response) -> httpx.Response:
        assert {**DASHBOARD_HEADERS, "X-Content-Type-Options": "nosniff"}.items() <= {
            name.title(): value for name, value in answer.headers.items()
        }.items()
        assert "no-store" == answer.headers["cache-control"] or "/static/" in answer.url.path
        assert "Traceback" not in answer.text or answer.is_success
        return answer


def csrf(page: httpx.Response) -> str:
    """The CSRF token of a page's forms."""
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found is not None
    return found[1]


@asynccontextmanager
async def browser_of(app: FastAPI) -> AsyncIterator[Browser]:
    """A browser of its own."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=SITE) as http:
        yield Browser(http)


def built(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> tuple[FastAPI, FastAPI]:
    """The web process's application, and the dashboard in it."""
    monkeypatch.setenv("REDIS_URL", redis_url)
    [settings] = load(WorkerSettings)
    web = build(partial(wiring.admin, settings, FEATURES, by="web"), [FULL, READ], rate=5)
    return web, install(web, [FULL, READ], settings.redis, showings=showings_of(FEATURES))


def seen(most: int = 1000) -> str:
    """What the address of an action on many contains: how many the page named, and that it was made just now."""
    return f"seen={time.time()}&most={most}"


async def dead_letters_of(browser: Browser, **query: str) -> list[str]:
    """The ids of the dead letters on the first page of those that match."""
    page = await browser.get("/letters", params=query)
    return re.findall(r'href="[^"]+/letter\?[^"]*\bid=([^"&]+)"', page.text)
