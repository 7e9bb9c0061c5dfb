"""Messages to push services over real sockets: keys, tokens and headers."""

from __future__ import annotations

import ssl
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from embedded.push_service import make_vapid_keys
from processors.push.delivery import Delivery, Kind, Message
from tests.support.push_service import Answer, PushService
from tests.support.tls import make_certificate, tls_in_front_of

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

MESSAGE = Message(b'{"title":"t","body":"b"}', ttl=60, urgency="normal", topic="0123456789abcdef0123456789abcdef")


async def test_tls(
    push_service: PushService,
    vapid_keys: tuple[str, str],
    senders: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a trusted certificate the push arrives; the token is for the https origin."""
    certificate, key = make_certificate(tmp_path, "127.0.0.1")
    context = ssl.create_default_context(cafile=str(certificate))
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", context)
    port = int(push_service.origin.rpartition(":")[2])
    async with tls_in_front_of(port, certificate, key) as tls_port:
        subscription = push_service.subscribe()
        path = subscription.endpoint.removeprefix(push_service.origin)
        push_service.origin = f"https://127.0.0.1:{tls_port}"
        delivery = await senders(vapid_keys[0]).send(
            replace(subscription, endpoint=push_service.origin + path), MESSAGE
        )

    assert delivery == Delivery(Kind.SENT)
    assert push_service.received[0].claims["aud"] == push_service.origin


async def test_two_push_services_get_a_token_each(vapid_keys: tuple[str, str], senders: Any) -> None:
    """In pywebpush the second service's token has the first one's `aud`."""
    services = [PushService(vapid_keys[1]), PushService(vapid_keys[1])]
    sender = senders(vapid_keys[0])
    for service in services:
        await service.start()
    try:
        for _ in range(2):
            for service in services:
                assert await sender.send(service.subscribe(), MESSAGE) == Delivery(Kind.SENT)
    finally:
        for service in services:
            await service.stop()

    assert [[push.claims["aud"] for push in each.received] for each in services] == [
        [each.origin] * 2 for each in services
    ]


async def test_a_subscription_of_an_earlier_key_works_on(senders: Any) -> None:
    """After a rotation its key is found once; without that key it is a mismatch."""
    (old, old_public), (new, new_public) = make_vapid_keys(), make_vapid_keys()
    service, current = PushService(old_public), PushService(new_public)
    await service.start()
    await current.start()
    try:
        subscription = service.subscribe()
        alone = await senders(new).send(subscription, MESSAGE)
        sender = senders(new, old)
        both = [await sender.send(subscription, MESSAGE) for _ in range(3)]
        requests = service.requests
        fresh = await sender.send(current.subscribe(), MESSAGE)
        proven = sender.is_proven(service.origin), sender.is_proven(current.origin)
    finally:
        await service.stop()
        await current.stop()

    assert alone.kind is Kind.KEY_MISMATCH
    assert both == [Delivery(Kind.SENT)] * 3
    assert requests == 1 + 2 + 1 + 1
    assert fresh == Delivery(Kind.SENT)
    assert proven == (False, True)


async def test_a_refused_server_signs_anew_once(
    push_service: PushService, vapid_keys: tuple[str, str], senders: Any
) -> None:
    """The token may be bad, so a new one is tried once, and not twice."""
    subscription = push_service.subscribe()
    push_service.answer(subscription, Answer(403, body=b'{"reason":"BadJwtToken"}'))

    delivery = await senders(vapid_keys[0]).send(subscription, MESSAGE)

    assert delivery.kind is Kind.CONFIGURATION
    assert push_service.requests == 2


async def test_a_refused_topic_is_left_out(
    push_service: PushService, vapid_keys: tuple[str, str], senders: Any
) -> None:
    """The message matters more than the one it would replace."""
    subscription = push_service.subscribe()
    push_service.answer_once(subscription, Answer(400, body=b'{"reason":"BadWebPushTopic"}'))

    delivery = await senders(vapid_keys[0]).send(subscription, MESSAGE)

    assert delivery == Delivery(Kind.SENT)
    assert "Topic" not in push_service.received[0].headers


async def test_no_cookie_and_no_proxy(
    push_service: PushService, vapid_keys: tuple[str, str], senders: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A push service's cookies are not sent back, and the environment's proxies are not used."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    sender, subscription = senders(vapid_keys[0]), push_service.subscribe()
    push_service.answer(subscription, Answer(201, {"Set-Cookie": "id=1"}))

    assert [(await sender.send(subscription, MESSAGE)).kind for _ in range(2)] == [Kind.SENT, Kind.SENT]
    assert not [push for push in push_service.received if "Cookie" in push.headers]


async def test_a_subscription_that_has_expired_is_not_sent_to(
    push_service: PushService, vapid_keys: tuple[str, str], senders: Any
) -> None:
    """Its own expirationTime says that it is gone."""
    subscription = push_service.subscribe()
    past = replace(subscription, expires_at=1_000.0)
    future = replace(subscription, expires_at=9_000_000_000.0)
    sender = senders(vapid_keys[0])

    assert await sender.send(past, MESSAGE) == Delivery(Kind.GONE, "past its expirationTime")
    assert await sender.send(future, MESSAGE) == Delivery(Kind.SENT)
