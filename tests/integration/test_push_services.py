"""Push services at their worst, over real sockets: what they answer, how they hang, and where they may not lead."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver

from embedded.push_service import make_vapid_keys
from processors.push.delivery import Delivery, Kind, Message
from processors.push.endpoints import REMOVED_HOST, AllowedHosts
from processors.push.guard import AddressRefusedError, socket_factory
from processors.push.send import PushSender
from processors.push.vapid import VapidSigner, parse_private_key
from tests.support.listening import listening
from tests.support.polling import BUSY
from tests.support.push_service import SUBJECT, Answer, PushService
from tests.support.tls import make_certificate, tls_in_front_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

MESSAGE = Message(b'{"title":"t","body":"b"}', ttl=60, urgency="normal", topic="0123456789abcdef0123456789abcdef")
PATIENCE = aiohttp.ClientTimeout(total=BUSY)


@pytest.fixture
async def senders() -> AsyncIterator[Callable[..., PushSender]]:
    """Makes senders with these private keys, the current one first, and closes them."""
    made: list[PushSender] = []

    def make(*private_keys: str, allowed: AllowedHosts | None = None) -> PushSender:
        signers = [VapidSigner(parse_private_key(key), SUBJECT) for key in private_keys]
        made.append(PushSender(signers, allowed or AllowedHosts(local=True), PATIENCE))
        return made[-1]

    yield make
    for sender in made:
        await sender.close()


@contextlib.asynccontextmanager
async def raw_service(behave: Callable[[asyncio.StreamWriter], Any]) -> AsyncIterator[str]:
    """A service that reads a request and then does as `behave` says; yields its origin."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        [length] = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        await reader.readexactly(length)
        await behave(writer)

    async with listening(serve) as port:
        yield f"http://127.0.0.1:{port}"


async def reset(writer: asyncio.StreamWriter) -> None:
    """Cut the connection without an answer."""
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    writer.transport.abort()


async def garbage(writer: asyncio.StreamWriter) -> None:
    """Answer something that is no HTTP."""
    writer.write(b"\x16\x03\x01 hello\r\n\r\n")
    await writer.drain()


async def drip(writer: asyncio.StreamWriter) -> None:
    """Answer at once, and then a byte at a time without end."""
    writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("behave", "kind", "reason"),
    [
        (reset, Kind.TRANSIENT, "no answer"),
        (garbage, Kind.TRANSIENT, "no answer"),
        (drip, Kind.SENT, ""),
    ],
)
async def test_answers_that_are_none(
    push_service: PushService, vapid_keys: tuple[str, str], senders: Any, behave: Any, kind: Kind, reason: str
) -> None:
    """A cut connection or nonsense is retried; a status counts, even if what follows never ends."""
    async with raw_service(behave) as origin:
        subscription = _at(push_service, origin)
        async with asyncio.timeout(60.0):
            delivery = await senders(vapid_keys[0]).send(subscription, MESSAGE)

    assert delivery.kind is kind
    assert delivery.reason.startswith(reason)
    assert origin not in delivery.reason


CREATED = b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        CREATED + b"X-Trace: " + b"a" * 9_000 + b"\r\n\r\n",
        CREATED + b"".join(b"X-%d: %s\r\n" % (number, b"a" * 900) for number in range(10)) + b"\r\n",
        CREATED + b"".join(b"X-%d: a\r\n" % number for number in range(400)) + b"\r\n",
        CREATED.replace(b"Created", b"r" * 9_000) + b"\r\n",
        CREATED.replace(b" Created", b"") + b"\r\n",
        CREATED + b"X-Folded: a\r\n  b\r\nX-Odd: \xe9\x01\r\nSet-Cookie: =;;\xff\r\n\r\n",
        CREATED + b"Content-Type: text/html; charset=none\r\nLocation: http://[bad\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" + CREATED + b"\r\n",
        b"HTTP/1.0 201 Created\r\n\r\n",
        b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\nhe",
        *(
            b"HTTP/1.1 201 Created\r\nContent-Encoding: %s\r\nContent-Length: 5\r\n\r\nhello" % encoding
            for encoding in (b"gzip", b"br", b"zstd", b"none")
        ),
    ],
    ids=lambda answer: answer[:40].decode(errors="replace").split("\r")[0] + f", {len(answer)} bytes",
)
async def test_a_201_is_a_201(
    push_service: PushService, vapid_keys: tuple[str, str], senders: Any, answer: bytes
) -> None:
    """Whatever comes with it: a push that was taken must not be sent again."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with raw_service(behave) as origin:
        delivery = await senders(vapid_keys[0]).send(_at(push_service, origin), MESSAGE)

    assert delivery == Delivery(Kind.SENT)


async def test_of_a_huge_answer_little_is_read(
    push_service: PushService, vapid_keys: tuple[str, str], senders: Any
) -> None:
    """The connection is dropped; what the service could write is what fits into buffers."""
    written = 0

    async def flood(writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(b"HTTP/1.1 500 Oops\r\nContent-Length: 1000000000\r\n\r\n")
        while written < 100_000_000:
            writer.write(b"x" * 65_536)
            await writer.drain()
            written += 65_536

    async with raw_service(flood) as origin:
        delivery = await senders(vapid_keys[0]).send(_at(push_service, origin), MESSAGE)
        await asyncio.sleep(0.1)

    assert delivery.kind is Kind.TRANSIENT
    assert written < 16_000_000


async def test_tls_that_nobody_vouches_for(
    push_service: PushService, vapid_keys: tuple[str, str], senders: Any, tmp_path: Path
) -> None:
    """A push service with a certificate of its own making is not spoken to."""
    certificate, key = make_certificate(tmp_path, "127.0.0.1")
    port = int(push_service.origin.rpartition(":")[2])
    async with tls_in_front_of(port, certificate, key) as tls_port:
        subscription = _at(push_service, f"https://127.0.0.1:{tls_port}")
        delivery = await senders(vapid_keys[0]).send(subscription, MESSAGE)

    assert delivery == Delivery(Kind.TRANSIENT, "no connection: ClientConnectorCertificateError")
    assert push_service.requests == 0


async def test_tls(
    push_service: PushService,
    vapid_keys: tuple[str, str],
    senders: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Over TLS with a certificate that is trusted, the push arrives; the token is for the https origin."""
    certificate, key = make_certificate(tmp_path, "127.0.0.1")
    context = ssl.create_default_context(cafile=str(certificate))
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", context)
    port = int(push_service.origin.rpartition(":")[2])
    async with tls_in_front_of(port, certificate, key) as tls_port:
        subscription = push_service.subscribe()
        path = subscription.endpoint.removeprefix(push_service.origin)
        push_service.origin = f"https://127.0.0.1:{tls_port}"
        sender = senders(vapid_keys[0])
        delivery = await sender.send(_with(subscription, push_service.origin + path), MESSAGE)
        await sender.close()

    assert delivery == Delivery(Kind.SENT)
    assert push_service.received[0].claims["aud"] == push_service.origin


async def test_two_push_services_get_a_token_each(vapid_keys: tuple[str, str], senders: Any) -> None:
    """The trap of pywebpush: the first service's `aud` on the second one's token."""
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
    """After a rotation it is found out once which key it was made with; without that key it is a mismatch."""
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
    """A token may have gone bad; then once more with a new one, and no third time."""
    subscription = push_service.subscribe()
    push_service.answer(subscription, Answer(403, body=b'{"reason":"BadJwtToken"}'))

    delivery = await senders(vapid_keys[0]).send(subscription, MESSAGE)

    assert delivery.kind is Kind.CONFIGURATION
    assert push_service.requests == 2


async def test_a_refused_topic_is_left_out(
    push_service: PushService, vapid_keys: tuple[str, str], senders: Any
) -> None:
    """The message matters more than what it replaces."""
    subscription = push_service.subscribe()
    push_service.answer_once(subscription, Answer(400, body=b'{"reason":"BadWebPushTopic"}'))

    delivery = await senders(vapid_keys[0]).send(subscription, MESSAGE)

    assert delivery == Delivery(Kind.SENT)
    assert "Topic" not in push_service.received[0].headers


async def test_no_cookie_and_no_proxy(
    push_service: PushService, vapid_keys: tuple[str, str], senders: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a push service sets is not sent back, and the environment's proxies are not for pushes."""
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
    past = type(subscription)(**{**_fields(subscription), "expires_at": 1_000.0})
    future = type(subscription)(**{**_fields(subscription), "expires_at": 9_000_000_000.0})
    sender = senders(vapid_keys[0])

    assert await sender.send(past, MESSAGE) == Delivery(Kind.GONE, "past its expirationTime")
    assert await sender.send(future, MESSAGE) == Delivery(Kind.SENT)


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
async def test_endpoints_that_are_none_are_never_called(
    push_service: PushService, vapid_keys: tuple[str, str], senders: Any, monkeypatch: pytest.MonkeyPatch, endpoint: str
) -> None:
    """They are refused, without a name being looked up or a connection made; no push service has called them gone."""

    async def called(*_args: Any, **_kwargs: Any) -> Any:
        pytest.fail("a connection was about to be made")

    monkeypatch.setattr(aiohttp.TCPConnector, "_create_connection", called)
    sender = senders(vapid_keys[0], allowed=AllowedHosts())

    delivery = await sender.send(_with(push_service.subscribe(), endpoint), MESSAGE)

    assert delivery.kind is Kind.REFUSED_ENDPOINT


@pytest.mark.parametrize("endpoint", [f"https://{REMOVED_HOST}/fcm/send/x", f"https://{REMOVED_HOST.upper()}"])
async def test_an_endpoint_that_its_browser_has_ended(
    push_service: PushService, vapid_keys: tuple[str, str], senders: Any, endpoint: str
) -> None:
    """Edge on Android says so by this host, and by no other of its domain: the row may go."""
    sender = senders(vapid_keys[0], allowed=AllowedHosts())
    row = push_service.subscribe()

    ended = await sender.send(_with(row, endpoint), MESSAGE)
    other = await sender.send(_with(row, endpoint.replace("://", "://x.")), MESSAGE)

    assert (Kind.GONE, Kind.REFUSED_ENDPOINT) == (ended.kind, other.kind)


class Rebinding(AbstractResolver):
    """Answers what it is told, one address a look-up."""

    def __init__(self, *addresses: str) -> None:
        """Take the addresses."""
        self._addresses = list(addresses)

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> Any:
        """Give the next address."""
        address = self._addresses.pop(0)
        return [{"hostname": host, "host": address, "port": port, "family": family, "proto": 0, "flags": 0}]

    async def close(self) -> None:
        """Nothing to close."""


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "10.0.0.1"])
async def test_a_name_that_leads_home_is_not_connected_to(address: str) -> None:
    """The second wall: whatever the DNS says of an allowed name, the address itself must be public."""
    connector = aiohttp.TCPConnector(resolver=Rebinding(address), socket_factory=socket_factory(local=False))
    async with aiohttp.ClientSession(connector=connector) as session:
        with pytest.raises(aiohttp.ClientConnectorError) as refused:
            await session.post("https://fcm.googleapis.com/x")

    assert isinstance(refused.value.os_error, AddressRefusedError)
    assert f"{address}, which is not a public address" in str(refused.value.os_error)


async def test_the_senders_session_has_the_second_wall(
    push_service: PushService, vapid_keys: tuple[str, str], senders: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An allowed name that was rebound is no reason to delete the row: the DNS may be right again tomorrow."""
    monkeypatch.setattr("aiohttp.connector.DefaultResolver", lambda **_: Rebinding("127.0.0.1"))
    sender = senders(vapid_keys[0], allowed=AllowedHosts())

    delivery = await sender.send(_with(push_service.subscribe(), "https://fcm.googleapis.com/x"), MESSAGE)

    assert delivery.kind is Kind.TRANSIENT
    assert "127.0.0.1, which is not a public address" in delivery.reason


def _fields(subscription: Any) -> dict[str, Any]:
    return {name: getattr(subscription, name) for name in subscription.__dataclass_fields__}


def _with(subscription: Any, endpoint: str) -> Any:
    return type(subscription)(**{**_fields(subscription), "endpoint": endpoint})


def _at(push_service: PushService, origin: str) -> Any:
    return _with(push_service.subscribe(), f"{origin}/x")
