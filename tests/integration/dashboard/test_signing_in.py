"""Signing in and out: the cookie, wrong tokens, and the page that follows."""

from __future__ import annotations

import pytest

from queue_lib.web.dashboard.addresses import PREFIX
from queue_lib.web.dashboard.login_attempts import MOST_ATTEMPTS
from tests.support.dashboard_client import FULL, SECRET, Browser, csrf


async def test_signing_in_and_out(stranger: Browser) -> None:
    """The cookie belongs to this host alone; without it there is no session."""
    refused = await stranger.sign_in("wrong")
    assert (401, True) == (refused.status_code, "No entry of API_TOKENS" in refused.text)
    assert 303 == (await stranger.get("/")).status_code

    answer = await stranger.sign_in(f" {SECRET}\n")
    cookie = answer.headers["set-cookie"]
    assert {"HttpOnly", f"Path={PREFIX}", "SameSite=strict"} <= set(cookie.split("; "))
    assert SECRET not in cookie
    assert FULL.digest not in cookie
    assert 200 == (await stranger.get("/")).status_code

    assert 303 == (await stranger.act("/logout")).status_code
    assert 303 == (await stranger.get("/")).status_code


async def test_by_https_the_cookie_is_for_https_alone(stranger: Browser) -> None:
    """HTTPS is known from the platform's router. An attacker on the network can set no such cookie."""
    https = {"X-Forwarded-Proto": "https"}
    page = await stranger.get("/login", headers=https)
    form = {"token": SECRET, "csrf": csrf(page)}
    own = {"X-Forwarded-Proto": "https", "Origin": "https://ops.example"}
    secure = page.headers["set-cookie"].split(";")[0]
    answer = await stranger.post("/login", form, **own, Cookie=secure)
    name, *flags = answer.headers["set-cookie"].split("; ")
    plain = name.removeprefix("__Host-")

    assert name.startswith("__Host-pushmill=")
    assert {"HttpOnly", "Path=/", "SameSite=strict", "Secure"} <= set(flags)
    assert 200 == (await stranger.get("/", headers={**https, "Cookie": name})).status_code
    assert 303 == (await stranger.get("/", headers={**https, "Cookie": plain})).status_code
    refused = await stranger.post("/login", form, Origin="https://ops.example", Cookie=secure)
    assert "does the proxy in front send X-Forwarded-Proto?" in refused.text


async def test_right_tokens_are_not_counted(stranger: Browser) -> None:
    """Neither an office behind one address nor a person with many windows is locked out; a wrong one still counts."""
    told = [(await stranger.sign_in()).status_code for _ in range(MOST_ATTEMPTS + 2)]
    guesses = [(await stranger.sign_in("guess")).status_code for _ in range(MOST_ATTEMPTS + 1)]
    assert [303] * (MOST_ATTEMPTS + 2) == told
    assert [401] * MOST_ATTEMPTS + [429] == guesses


async def test_guessing_tokens_is_slow(stranger: Browser) -> None:
    """After ten wrong tokens in a minute from one address none is checked, not even a right one.

    Other addresses have their own count.
    """
    form = {"token": "guess", "csrf": csrf(await stranger.get("/login"))}
    told = [
        (await stranger.post("/login", form, X_Forwarded_For=f"{n}, 192.0.2.1")).status_code
        for n in range(MOST_ATTEMPTS + 2)
    ]
    other = await stranger.post("/login", form, X_Forwarded_For="192.0.2.1, 192.0.2.2")
    last = await stranger.post("/login", {**form, "token": SECRET}, X_Forwarded_For="192.0.2.1")

    assert [401] * MOST_ATTEMPTS + [429] * 2 == told
    assert 401 == other.status_code
    assert (429, True) == (last.status_code, 0 < int(last.headers["retry-after"]) <= 60)


@pytest.mark.parametrize(
    ("wanted", "location"),
    [
        (f"{PREFIX}/letters?queue=a%2Fb", f"{PREFIX}/letters?queue=a%2Fb"),
        ("https://evil.example", f"{PREFIX}/"),
        ("//evil.example", f"{PREFIX}/"),
        (f"{PREFIX}/\\evil", f"{PREFIX}/"),
        (f"{PREFIX}/x\r\nSet-Cookie: a=b", f"{PREFIX}/"),
        (f"{PREFIX}.evil.example/", f"{PREFIX}/"),
        ("javascript:alert(1)", f"{PREFIX}/"),
    ],
)
async def test_signing_in_leads_to_no_other_site(stranger: Browser, wanted: str, location: str) -> None:
    """The requested page is opened only if it is one of the dashboard's."""
    page = await stranger.get("/login", params={"next": wanted})
    assert ("Continue" in page.text) == (wanted == location)
    assert location == (await stranger.sign_in(next=wanted)).headers["location"]
