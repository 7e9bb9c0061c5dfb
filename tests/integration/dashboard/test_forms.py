"""Forms sent to the dashboard: those of another site, another session or another kind do nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from queue_lib.web.dashboard.addresses import PREFIX
from tests.support.dashboard_client import SITE, Browser, browser_of, csrf
from tests.support.showcase import FILES

if TYPE_CHECKING:
    from fastapi import FastAPI


@pytest.mark.parametrize(
    ("form", "headers"),
    [
        ({"other": ""}, {}),
        ({"csrf": "wrong"}, {}),
        ({"csrf": "ümlaut"}, {}),
        ({"csrf": "{theirs}"}, {}),
        ({"csrf": "{mine}"}, {"Origin": "https://evil.example"}),
        ({"csrf": "{mine}"}, {"Origin": "https://ops.example"}),
        ({"csrf": "{mine}"}, {"Origin": "http://ops.example:81"}),
        ({"csrf": "{mine}"}, {"Origin": "null"}),
        ({"csrf": "{mine}"}, {"Origin": ""}),
    ],
)
async def test_a_form_that_is_not_ours_does_nothing(
    ada: Browser, parts: tuple[FastAPI, FastAPI], form: dict[str, str], headers: dict[str, str]
) -> None:
    """Without the session's own token, or from another site; with both right the form pauses the queue."""
    async with browser_of(parts[0]) as other:
        await other.sign_in()
        theirs = csrf(await other.get("/"))
    mine = csrf(await ada.get("/"))
    sent = {name: value.format(mine=mine, theirs=theirs) for name, value in form.items()}
    path = f"/queue/{FILES.name}/pause"

    assert 403 == (await ada.post(path, sent, **headers)).status_code
    assert 403 == (await ada.post("/logout", sent, **headers)).status_code
    assert "paused" not in (await ada.get("/")).text
    assert 405 == (await ada.get(path)).status_code
    assert 303 == (await ada.post(path, {"csrf": mine})).status_code
    assert "paused" in (await ada.get("/")).text


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        ("csrf={mine}", "text/plain", 415),
        ('{{"csrf": "{mine}"}}', "application/json", 415),
        ("csrf={mine}" + "&a=1" * 60, "application/x-www-form-urlencoded", 400),
        ("csrf=\xff", "application/x-www-form-urlencoded", 400),
        ("csrf={mine}&a=" + "x" * 70_000, "application/x-www-form-urlencoded", 413),
    ],
)
async def test_a_body_that_is_no_form_is_refused(ada: Browser, content: str, kind: str, status: int) -> None:
    """Whatever token it has."""
    body = content.format(mine=csrf(await ada.get("/"))).encode("latin-1")
    path = f"{PREFIX}/queue/{FILES.name}/pause"
    answer = await ada.http.post(path, content=body, headers={"Origin": SITE, "Content-Type": kind})
    assert status == answer.status_code
