"""Forbidden endpoints, and push services that break HTTP, over real sockets."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from processors.push.delivery import Kind, Message
from processors.push.endpoints import REMOVED_HOST, AllowedHosts
from tests.support.raw_http import Rebinding, drip, garbage, raw_server, reset

if TYPE_CHECKING:
    from tests.support.push_service import PushService

MESSAGE = Message(b'{"title":"t","body":"b"}', ttl=60, urgency="normal")


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://fcm.googleapis.com/x",
        "https://fcm.googleapis.com:8443/x",
        "https://user@fcm.googleapis.com/x",
        "https://user:pw@fcm.googleapis.com/x",
        "https://fcm.googleapis.com.evil.com/",
        "https://evilfcm.googleapis.com.evil.com/",
        "https://xfcm.googleapis.com/",
        "https://169.254.169.254/x.google.com/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://0x7f.1/",
        "https://2130706433/",
        "https://fcm.googleapis.com\\@evil.com/",
        "https://evil.com#@fcm.googleapis.com/",
        "https://evil.com/?https://fcm.googleapis.com/",
        "https://fcm.googleapis.com\n.evil.com/",
        "https://\uff46cm.googleapis.com/",
        "file:///etc/passwd",
        "gopher://fcm.googleapis.com/",
        "",
        "https://fcm.googleapis.com/" + "x" * 2048,
    ],
)
async def test_forbidden_endpoints_are_never_called(
    push_service: PushService, vapid_keys: tuple[str, str], senders: Any, monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    """They are refused without a DNS look-up or a connection, and do not count as gone."""

    async def called(*_args: Any, **_kwargs: Any) -> Any:
        pytest.fail("a connection was about to be made")

    monkeypatch.setattr(aiohttp.TCPConnector, "_create_connection", called)
    sender = senders(vapid_keys[0], allowed=AllowedHosts())

    delivery = await sender.send(replace(push_service.subscribe(), endpoint=endpoint), MESSAGE)

    assert delivery.kind is Kind.REFUSED_ENDPOINT


@pytest.mark.parametrize("endpoint", [f"https://{REMOVED_HOST}/fcm/send/x", f"https://{REMOVED_HOST.upper()}"])
async def test_an_endpoint_that_its_browser_has_ended(
    push_service: PushService, vapid_keys: tuple[str, str], senders: Any, endpoint: str
) -> None:
    """Edge on Android marks it by this one host; the row may be deleted."""
    sender = senders(vapid_keys[0], allowed=AllowedHosts())
    row = push_service.subscribe()

    ended = await sender.send(replace(row, endpoint=endpoint), MESSAGE)
    other = await sender.send(replace(row, endpoint=endpoint.replace("://", "://x.")), MESSAGE)

    assert (Kind.GONE, Kind.REFUSED_ENDPOINT) == (ended.kind, other.kind)


async def test_the_senders_session_checks_the_address_too(
    push_service: PushService, vapid_keys: tuple[str, str], senders: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rebound name is no reason to delete the row: DNS may be right again tomorrow."""
    monkeypatch.setattr("aiohttp.connector.DefaultResolver", lambda **_: Rebinding("127.0.0.1"))
    sender = senders(vapid_keys[0], allowed=AllowedHosts())

    delivery = await sender.send(replace(push_service.subscribe(), endpoint="https://fcm.googleapis.com/x"), MESSAGE)

    assert delivery.kind is Kind.TRANSIENT
    assert "127.0.0.1, which is not a public address" in delivery.reason


@pytest.mark.parametrize(
    ("behave", "kind", "reason"),
    [
        (reset, Kind.TRANSIENT, "no answer"),
        (garbage, Kind.TRANSIENT, "no answer"),
        (drip, Kind.SENT, ""),
    ],
)
async def test_malformed_answers(
    push_service: PushService, vapid_keys: tuple[str, str], senders: Any, behave: Any, kind: Kind, reason: str
) -> None:
    """A cut connection or nonsense is retried; a status counts, even if its body never ends."""
    async with raw_server(behave) as origin:
        subscription = replace(push_service.subscribe(), endpoint=f"{origin}/x")
        async with asyncio.timeout(60.0):
            delivery = await senders(vapid_keys[0]).send(subscription, MESSAGE)

    assert delivery.kind is kind
    assert delivery.reason.startswith(reason)
    assert origin not in delivery.reason
