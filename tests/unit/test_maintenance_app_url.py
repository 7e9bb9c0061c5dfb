"""Pages of the app: no path leads away from it."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from yarl import URL

from processors.maintenance.app_url import app_url
from queue_lib.errors import PermanentError

BASE = "https://app.internal:8443/api/internal"
HOSTILE = (
    *("", "evil", "//evil", "///evil", "/\\evil", "\\\\evil", "/\\/evil", "@evil", ":80/x", "/a//b", "//", "/a//"),
    *("/..", "/../x", "/a/..", "/a/../../x", "/.", "/./a", "/%2e%2e/x", "/%2E%2e", "/.%2e/", "/a/%2e./x", "/..%2fx"),
    *("/%2f%2fevil", "/a%2fb", "/a%5cb", "/%5c%5cevil", "/%252e%252e/x", "/a%00b", "/a%0d%0aHost:evil", "/a%", "/a%z"),
    *("/a b", "/a\tb", "/a\nb", "/\ta", "/a\r\nHost: evil", "/a#b", "/é", "/a?b#c", "/a?b c", "/a?\\", "/a?é", "/a?%"),
    *(
        "http://evil/x",
        "https://app.internal@evil/x",
        "/;@evil:1/..;/x/..",
        "/a?x=\n",
        "/..;/x",
        "/a/.;x/b",
        "/a/;x",
        "/a/.;",
        "/../",
        "/a/%2e%2e/",
    ),
)
PARTS = (*HOSTILE, "/", ".", "..", "%2e", "@", "?", "a", "\\", ";", "%")


@pytest.mark.parametrize("path", HOSTILE)
def test_a_hostile_path_is_refused(path: str) -> None:
    """Each in its own spelling."""
    with pytest.raises(PermanentError, match="not a path of the app"):
        app_url(BASE, path, {})


@pytest.mark.parametrize(
    ("path", "url"),
    [
        ("/top", f"{BASE}/top"),
        ("/", f"{BASE}/"),
        ("/top/", f"{BASE}/top/"),
        ("/top/?n=1", f"{BASE}/top/?n=1"),
        ("/a/b.json?x=1&y=/z?", f"{BASE}/a/b.json?x=1&y=/z?"),
        ("/@evil", f"{BASE}/@evil"),
        ("/a:1;x,y/..b/%C3%A9%20", f"{BASE}/a:1;x,y/..b/%C3%A9%20"),
        ("/a?x=%2F..%2F", f"{BASE}/a?x=%2F..%2F"),
    ],
)
def test_a_path_stands_below_the_apps_address(path: str, url: str) -> None:
    """Unchanged."""
    assert app_url(BASE, path, {}) == url
    assert str(URL(url, encoded=True)) == url


def test_params_are_added_to_the_query() -> None:
    """They end nothing and begin nothing."""
    assert app_url(BASE, "/a", {"q": "x&y=1#é", "n": 2, "on": True}) == f"{BASE}/a?q=x%26y%3D1%23%C3%A9&n=2&on=true"
    assert app_url(BASE, "/a?b=1", {"c": 1.5}) == f"{BASE}/a?b=1&c=1.5"
    with pytest.raises(PermanentError, match="texts, numbers and booleans"):
        app_url(BASE, "/a", {"q": ["x"]})


@example(path="/..x;..", base=BASE)
@given(
    path=st.text(max_size=30) | st.lists(st.sampled_from(PARTS), max_size=6).map("".join),
    base=st.sampled_from([BASE, "http://app:3000", "http://[::1]:80"]),
)
def test_no_path_leads_away(path: str, base: str) -> None:
    """Whatever a text is: it is refused, or two parsers see the app's own host and a path below its own."""
    try:
        url = app_url(base, path, {"q": path})
    except PermanentError:
        return
    server = (urlsplit(base).scheme, None, urlsplit(base).hostname, urlsplit(base).port)
    for parts in (urlsplit(url), urlsplit(str(URL(url))), urlsplit(str(URL(url, encoded=True)))):
        assert (parts.scheme, parts.username, parts.hostname, parts.port or 80) == server
        assert parts.path.startswith(urlsplit(base).path + "/")
        assert not {"..", "."} & set(parts.path.split("/"))
        assert parts.fragment == ""
