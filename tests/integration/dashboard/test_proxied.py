"""The dashboard for an app's own users: the app passes their requests on with its token, and no cookie counts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from queue_lib.web.dashboard.addresses import PREFIX
from tests.support.dashboard_client import FULL, READ_SECRET, SECRET, Browser, csrf
from tests.support.showcase import FILES, fill

if TYPE_CHECKING:
    from tests.support.wires import Mess

BELOW = "/base/ops/queues"
FAILED = f"/queue/{FILES.name}?state=failed"


def by(secret: str = SECRET, **more: str) -> dict[str, str]:
    """The headers of an app that has this token."""
    headers = {"Authorization": f"Bearer {secret}", "X-Forwarded-Prefix": BELOW, "X-Pushmill-Access": "full"}
    return headers | {name.replace("_", "-"): value for name, value in more.items()}


async def test_a_token_is_a_session(stranger: Browser, mess: Mess) -> None:
    """There is no form to sign in, no cookie, and nothing to sign out of."""
    await fill(mess)
    for path in ("/", FAILED, "/letters", "/schedules", "/workers"):
        page = await stranger.get(path, headers=by())
        assert 200 == page.status_code
        assert ("set-cookie" in page.headers, "Sign out" in page.text, FULL.name in page.text) == (False, False, True)
    for answer in (
        await stranger.get("/login", headers=by()),
        await stranger.post("/login", {"token": SECRET}, **by()),
        await stranger.post("/logout", {}, **by()),
    ):
        assert (404, False) == (answer.status_code, "set-cookie" in answer.headers)


async def test_all_links_are_below_the_apps_path(stranger: Browser, mess: Mess) -> None:
    """Links, forms, styles, scripts and icons, on the page of an error, too."""
    await fill(mess)
    job = re.findall(r'href="[^"]+(/job\?[^"]+)"', (await stranger.get(FAILED, headers=by())).text)[0]
    letter = re.findall(r'href="[^"]+(/letter\?[^"]+)"', (await stranger.get("/letters", headers=by())).text)[0]
    for path in (
        "/",
        FAILED,
        "/letters",
        "/schedules",
        "/workers",
        job.replace("&amp;", "&"),
        letter,
        "/nothing",
        "/queue/none",
    ):
        page = await stranger.get(path, headers=by())
        assert page.status_code == (404 if path in {"/nothing", "/queue/none"} else 200), path
        links = re.findall(r'(?:href|action|src|data-key)="(/[^"]+)"', page.text)
        assert len(links) > 2
        assert {BELOW} == {link[: len(BELOW)] for link in links}, path
        assert PREFIX not in page.text


@pytest.mark.parametrize(
    "below", ["", "//evil.example", "/a/../b", "/.", "/a b", '/"onclick="', "https://x", "/a" * 200]
)
async def test_what_is_no_path_is_ignored(stranger: Browser, below: str) -> None:
    """The pages lie where they do without an app."""
    page = await stranger.get("/workers", headers=by(X_Forwarded_Prefix=below))
    assert f'href="{PREFIX}/letters"' in page.text


async def test_only_a_token_makes_a_prefix_count(stranger: Browser) -> None:
    """Neither strangers nor people with a cookie choose where links lead."""
    without = {"X-Forwarded-Prefix": BELOW}
    assert BELOW not in (await stranger.get("/login", headers=without)).text
    assert BELOW not in (await stranger.get("/nothing", headers=by("x"))).text
    assert BELOW not in (await stranger.get("/", headers=by("x"))).text
    await stranger.sign_in()
    assert BELOW not in (await stranger.get("/", headers=without)).text
    assert BELOW not in (await stranger.get("/", headers=without | {"Authorization": "Bearer x"})).text


UNKNOWN = ["Bearer wrong", "bearer", "BEARER x", "Bearer {0} {0}", "Bearer ä"]


@pytest.mark.parametrize("given", [*UNKNOWN, "", "Basic YTpi"])
async def test_an_unknown_token_is_told_so(stranger: Browser, given: str) -> None:
    """Of an app, which its mark shows. A cookie does not help, and nothing leads to the form to sign in."""
    await stranger.sign_in()
    for path in ("/", FAILED):
        headers = {"Authorization": given.format(SECRET).encode(), "X-Pushmill-Access": b"full"}
        answer = await stranger.get(path, headers=headers)
        assert (401, "Bearer") == (answer.status_code, answer.headers["www-authenticate"])
        assert "no entry of API_TOKENS is this token&#39;s" in answer.text
    for path in (f"/queue/{FILES.name}/pause", "/logout"):
        answer = await stranger.post(path, {"csrf": csrf(await stranger.get("/"))}, **by("wrong"))
        assert (404 if path == "/logout" else 401) == answer.status_code


@pytest.mark.parametrize("given", UNKNOWN)
async def test_a_token_of_a_proxy_in_front_locks_nobody_out(stranger: Browser, mess: Mess, given: str) -> None:
    """oauth2-proxy adds an ID token to each request. People sign in, act and sign out with a cookie."""
    await fill(mess)
    stranger.http.headers.update({b"Authorization": given.format(SECRET).encode()})
    pause = f"/queue/{FILES.name}/pause"
    answer = await stranger.get("/")
    assert (303, f"{PREFIX}/login?next=%2Fadmin%2Fqueues%2F") == (answer.status_code, answer.headers["location"])
    assert 303 == (await stranger.post(pause, {"csrf": "x"})).status_code
    assert 303 == (await stranger.sign_in()).status_code
    page = await stranger.get("/")
    assert (200, True, True) == (page.status_code, "Sign out" in page.text, FULL.name in page.text)
    for form, headers in (
        ({"csrf": "x"}, {}),
        ({"csrf": csrf(page)}, {"Origin": "https://evil.example"}),
        ({"csrf": csrf(page)}, {"Origin": "null"}),
    ):
        assert 403 == (await stranger.post(pause, form, **headers)).status_code
    answer = await stranger.act(pause)
    assert (303, f"{PREFIX}/queue/{FILES.name}?said=paused") == (answer.status_code, answer.headers["location"])
    assert 303 == (await stranger.act("/logout")).status_code
    assert 303 == (await stranger.get("/")).status_code
    assert 401 == (await stranger.sign_in("x")).status_code


async def test_a_token_that_is_known_needs_no_mark(stranger: Browser) -> None:
    """Any proxy may add it. It wins over a cookie."""
    await stranger.sign_in(READ_SECRET)
    unmarked = {"Authorization": f"Bearer {SECRET}", "X-Forwarded-Prefix": BELOW}
    page = await stranger.get("/", headers=unmarked)
    assert (200, True, False) == (page.status_code, BELOW in page.text, "Sign out" in page.text)
    assert FULL.name in page.text


async def test_a_password_of_a_proxy_in_front_is_no_token(stranger: Browser) -> None:
    """Browsers repeat it with each request; the cookie counts, and without one the form to sign in is shown."""
    basic = {"Authorization": "Basic YTpi"}
    assert 303 == (await stranger.get("/", headers=basic)).status_code
    await stranger.sign_in()
    assert 200 == (await stranger.get("/", headers=basic)).status_code


async def test_an_action_needs_the_form_of_a_page(stranger: Browser, mess: Mess) -> None:
    """Its CSRF token works without a cookie, from whatever site the app is; that of a cookie's session does not."""
    await fill(mess)
    pause = f"/queue/{FILES.name}/pause"
    page = await stranger.get("/", headers=by())
    for form in ({"csrf": ""}, {"csrf": "x"}, {"x": "y"}):
        assert 403 == (await stranger.post(pause, form, **by())).status_code
    await stranger.sign_in()
    cookies = csrf(await stranger.get("/"))
    assert 403 == (await stranger.post(pause, {"csrf": cookies}, **by())).status_code
    assert 403 == (await stranger.post(pause, {"csrf": csrf(page)})).status_code
    stranger.http.cookies.clear()
    answer = await stranger.post(pause, {"csrf": csrf(page)}, **by(Origin="https://app.example"))
    assert (303, f"{PREFIX}/queue/{FILES.name}?said=paused") == (answer.status_code, answer.headers["location"])


@pytest.mark.parametrize("headers", [by(READ_SECRET), by(X_Pushmill_Access="read"), by(X_Pushmill_Access="READ")])
async def test_who_may_only_read_has_no_buttons(stranger: Browser, mess: Mess, headers: dict[str, str]) -> None:
    """Because the token may only read, or because the app says so of its user."""
    await fill(mess)
    form = {"csrf": csrf(await stranger.get("/", headers=by()))}
    for path in ("/", FAILED, "/letters"):
        page = await stranger.get(path, headers=headers)
        assert ("read-only" in page.text, "<dialog" in page.text, 'method="post"' in page.text) == (True, False, False)
    answer = await stranger.post(f"/queue/{FILES.name}/pause", form, **headers)
    assert 403 == answer.status_code


async def test_an_app_can_not_raise_what_a_token_may(stranger: Browser) -> None:
    """`full` for a read-only token is nothing."""
    page = await stranger.get("/", headers=by(READ_SECRET, X_Pushmill_Access="full"))
    assert "read-only" in page.text
