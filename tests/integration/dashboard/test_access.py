"""Access to the dashboard: nothing without a session, and no action with a read-only token."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from fastapi.routing import APIRoute

from queue_lib.web.dashboard.addresses import PREFIX
from tests.support.dashboard_client import READ_SECRET, Browser, csrf
from tests.support.showcase import FILES, fill, schedule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

    from tests.support.wires import Mess

SESSIONLESS = {"/login", "/static/{version}/{name}"}


def routes(pages: FastAPI) -> Iterator[tuple[str, str, str]]:
    """Method, path as declared, and path with a value for each parameter, of each route of the dashboard."""
    found = [
        (method, route.path, re.sub(r"\{\w+\}", FILES.name, route.path))
        for part in pages.routes
        for route in getattr(getattr(part, "original_router", part), "routes", [part])
        if isinstance(route, APIRoute)
        for method in route.methods or ()
    ]
    assert len(found) > 15
    yield from found


async def test_no_page_answers_without_a_session(stranger: Browser, parts: tuple[FastAPI, FastAPI]) -> None:
    """All lead to the form to sign in; only the form and its files are open."""
    for method, declared, path in routes(parts[1]):
        if declared in SESSIONLESS:
            continue
        answer = await (stranger.get(path) if method == "GET" else stranger.post(path, {"csrf": "x"}))
        assert (303, "") == (answer.status_code, answer.text), path
        assert answer.headers["location"].startswith(f"{PREFIX}/login"), path
    assert 404 == (await stranger.get("/nothing")).status_code
    assert f"{PREFIX}/" == (await stranger.get("")).headers["location"]


async def test_a_token_that_may_only_read_sees_all_and_does_nothing(
    stranger: Browser, parts: tuple[FastAPI, FastAPI], mess: Mess
) -> None:
    """Every action is refused, whatever its target, and no page has a button for one."""
    await fill(mess)
    await schedule(mess)
    await stranger.sign_in(READ_SECRET)
    token = csrf(await stranger.get("/"))
    actions = [
        path
        for method, declared, path in routes(parts[1])
        if method == "POST" and declared not in {"/login", "/logout"}
    ]
    for path in actions:
        answer = await stranger.post(path, {"csrf": token})
        assert (403, True) == (answer.status_code, "may only read" in answer.text), path
    assert len(actions) >= 10
    for path in (
        "/",
        f"/queue/{FILES.name}?state=failed",
        "/letters",
        "/schedules",
        "/workers",
        *await _links(stranger),
    ):
        page = await stranger.get(path)
        assert 200 == page.status_code
        assert {f"{PREFIX}/logout"} == set(re.findall(r'method="post" action="([^"]+)"', page.text)), path
        assert "<dialog" not in page.text


async def _links(browser: Browser) -> list[str]:
    """A failed job, and a dead letter."""
    jobs = (await browser.get(f"/queue/{FILES.name}?state=failed")).text + (await browser.get("/letters")).text
    found = [html.unescape(link) for link in re.findall(rf'href="{PREFIX}(/(?:job|letter)\?[^"]+)"', jobs)]
    assert len(found) > 1
    return [found[0], found[-1]]
