"""Which endpoints may be called."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.push.endpoints import AllowedHosts, EndpointRefusedError, log_fields

PUBLIC = AllowedHosts()
LOCAL = AllowedHosts(local=True)


@pytest.mark.parametrize(
    ("endpoint", "origin"),
    [
        ("https://fcm.googleapis.com/fcm/send/a:b-c_d", "https://fcm.googleapis.com"),
        ("https://jmt17.google.com/fcm/send/x", "https://jmt17.google.com"),
        ("https://android.googleapis.com/gcm/send/x", "https://android.googleapis.com"),
        ("https://updates.push.services.mozilla.com/wpush/v2/x", "https://updates.push.services.mozilla.com"),
        ("https://web.push.apple.com/QGx", "https://web.push.apple.com"),
        ("https://wns2-par02p.notify.windows.com/w/?token=a%2Bb%3D", "https://wns2-par02p.notify.windows.com"),
        ("https://FCM.GoogleAPIs.com:443/x", "https://fcm.googleapis.com"),
    ],
)
def test_the_known_services_may_be_called(endpoint: str, origin: str) -> None:
    """Every browser's push service is allowed; its path is kept and its origin is lower-cased."""
    parsed = PUBLIC.parse(endpoint)

    assert endpoint.endswith(parsed.url.raw_path_qs)
    assert origin == parsed.origin


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://example.com/x",
        "https://169.254.169.254/x.google.com/",
        "https://evil.com/fcm.googleapis.com",
        "https://evil.com#fcm.googleapis.com",
        "https://evilfcm.googleapis.com/",
        "https://fcm.googleapis.com.evil.com/",
        "https://fcm.googleapis.com./",
        "https://fcm.googleapis.com%00.evil.com/",
        "https://fcm.googleapis.com@evil.com/",
        "https://user:secret@fcm.googleapis.com/",
        "https://@fcm.googleapis.com/",
        "https://evil.com\\@fcm.googleapis.com/",
        "https://fcm.googleapis.com:8443/",
        "https://fcm.googleapis.com:99999/",
        "http://fcm.googleapis.com/",
        "http://fcm.googleapis.com:443/",
        "ftp://fcm.googleapis.com:443/",
        "//fcm.googleapis.com/",
        "https:///x",
        "",
        "fcm.googleapis.com",
        "https://fcm.googleapis.com/\r\nX-Header: 1",
        "https://fcm.googleapis.com/ü",
        "https://fcm.googleapis.com/" + "x" * 2048,
        "https://permanently-removed.invalid/fcm/send/x",
        "https://localhost/",
        "http://127.0.0.1:8080/",
        "https://[::1]/",
    ],
)
def test_other_hosts_may_not_be_called(endpoint: str) -> None:
    """Parsed host, scheme, port and user decide, whatever the URL looks like; the reason does not repeat it."""
    with pytest.raises(EndpointRefusedError) as caught:
        PUBLIC.parse(endpoint)

    assert "secret" not in str(caught.value)
    assert not endpoint or endpoint not in str(caught.value)


def test_the_operator_can_add_a_host() -> None:
    """An extra host and the names under it are allowed, by the same rules."""
    allowed = AllowedHosts(("ntfy.sh",))

    assert allowed.parse("https://ntfy.sh/up1").host == "ntfy.sh"
    assert allowed.parse("https://eu.ntfy.sh/up1").host == "eu.ntfy.sh"
    with pytest.raises(EndpointRefusedError, match="https and port 443 only"):
        allowed.parse("http://ntfy.sh/up1")


@pytest.mark.parametrize(
    ("endpoint", "origin"),
    [
        ("http://127.0.0.1:8080/x", "http://127.0.0.1:8080"),
        ("http://localhost/x", "http://localhost"),
        ("https://localhost:8443/x", "https://localhost:8443"),
        ("https://fcm.googleapis.com/x", "https://fcm.googleapis.com"),
    ],
)
def test_development_may_call_this_machine(endpoint: str, origin: str) -> None:
    """With local endpoints allowed, loopback works with http and on any port, next to the real services."""
    assert origin == LOCAL.parse(endpoint).origin


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://10.0.0.1/",
        "http://0.0.0.0/",
        "http://127.1/",
        "http://0x7f.1/",
        "http://localhost.evil.com/",
        "http://127.0.0.1.evil.com/",
        "http://a@127.0.0.1/",
        "ftp://127.0.0.1/",
        "http://fcm.googleapis.com/",
    ],
)
def test_development_may_call_nothing_but_this_machine(endpoint: str) -> None:
    """Allowing local endpoints opens loopback and no other address."""
    with pytest.raises(EndpointRefusedError):
        LOCAL.parse(endpoint)


@pytest.mark.parametrize(
    "endpoint", ["https://fcm.googleapis.com/fcm/send/secret", "nonsense secret", "https://[secret"]
)
def test_logs_hold_the_host_and_a_short_hash(endpoint: str) -> None:
    """An endpoint is a secret: logs distinguish subscriptions without it."""
    fields = log_fields(endpoint)

    assert "secret" not in str(fields)
    assert fields["host"] in {"fcm.googleapis.com", "?"}
    assert len(fields["endpoint_hash"]) == 8


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://xn--",
        "https://xn--.fcm.googleapis.com/x",
        "https://[xn--.[::1]@/x",
        "https://[::1",
        "https://.\x00-1[::1]@",
        "https://[v1.x]/",
        "https://fcm.googleapis.com:443:443/",
    ],
)
def test_a_host_that_can_not_be_parsed_is_refused(endpoint: str) -> None:
    """Any user can store such a subscription: it counts as refused, and does not fail the job."""
    with pytest.raises(EndpointRefusedError):
        PUBLIC.parse(endpoint)
    assert log_fields(endpoint)["host"]


BITS = [
    *("https://", "//", "fcm.googleapis.com", "[::1]", "[", "]", "@", ":", ":99999", "/", "?", "#", "%zz", "%00"),
    *("xn--", "xn--a", ".", "\\", " ", "\0", "é", "。", "v1.x", "-1", "٣"),
]


@given(st.lists(st.sampled_from(BITS) | st.text(max_size=3)))
def test_any_text_is_an_endpoint_or_refused(parts: list[str]) -> None:
    """No text makes the parser, or the name for the log, fail in another way."""
    endpoint = "".join(parts)
    with contextlib.suppress(EndpointRefusedError):
        assert PUBLIC.parse(endpoint).origin.startswith("https://")
    assert {"host", "endpoint_hash"} == set(log_fields(endpoint))
