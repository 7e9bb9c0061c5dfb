"""The local push service for Firefox, as a browser and a sender meet it."""

from __future__ import annotations

import base64
import json
import uuid
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import http_ece
import pytest
from aiohttp import WSMsgType
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from embedded.push_checks import base64url
from processors.push.delivery import Delivery, Kind, Message
from processors.push.vapid import VapidSigner, parse_private_key
from storage.ports import Subscription
from tests.support.polling import PATIENCE, until
from tests.support.push_service import SUBJECT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from aiohttp import ClientWebSocketResponse

    from embedded.mozilla_push import MozillaPush
    from processors.push.send import PushSender

HELLO = {"messageType": "hello", "broadcasts": {}, "use_webpush": True}


class Device:
    """A browser's connection, and the keys of its subscriptions."""

    def __init__(self, socket: ClientWebSocketResponse, uaid: str) -> None:
        self.socket = socket
        self.uaid = uaid
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.auth = bytes(16)

    async def ask(self, **message: Any) -> Any:
        """Send a message; returns the answer."""
        await self.socket.send_json(message)
        return await self.hear()

    async def hear(self) -> Any:
        """The next message of the service."""
        return await self.socket.receive_json(timeout=PATIENCE)

    async def subscribe(self, key: str, channel_id: str = "") -> Subscription:
        """Register a channel with this VAPID key, padded as Firefox does; returns the row of an app."""
        answer = await self.ask(messageType="register", channelID=channel_id or str(uuid.uuid4()), key=key + "=")
        point = self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return Subscription(answer["channelID"], "u", answer["pushEndpoint"], base64url(point), base64url(self.auth))

    def read(self, notification: Any) -> str:
        """The text of a notification."""
        data = notification["data"]
        body = base64.urlsafe_b64decode(data + "=" * (-len(data) % 4))
        text = http_ece.decrypt(body, private_key=self.key, auth_secret=self.auth, version="aes128gcm")
        return str(text.decode())


@asynccontextmanager
async def connected(service: MozillaPush, uaid: str | None = None) -> AsyncIterator[Device]:
    """A browser that has said hello."""
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(service.url, protocols=("push-notification",)) as socket,
    ):
        await socket.send_json(HELLO | ({"uaid": uaid} if uaid else {}))
        answer = await socket.receive_json(timeout=PATIENCE)
        assert {"messageType": "hello", "status": 200, "use_webpush": True}.items() <= answer.items()
        yield Device(socket, answer["uaid"])


@pytest.fixture
def sender(senders: Callable[..., PushSender], vapid_keys: tuple[str, str]) -> PushSender:
    """The worker's sender."""
    return senders(vapid_keys[0])


def message(text: str = "hello", ttl: int = 60) -> Message:
    """A message of the worker."""
    return Message(text.encode(), ttl, "normal")


async def test_a_message_reaches_its_browser(
    mozilla_push: MozillaPush, sender: PushSender, vapid_keys: tuple[str, str]
) -> None:
    """The browser that registered the channel gets what only it can decrypt, and acknowledges it."""
    async with connected(mozilla_push) as device, connected(mozilla_push) as other:
        row = await device.subscribe(vapid_keys[1])

        assert Delivery(Kind.SENT) == await sender.send(row, message("Grüße"))

        notification = await device.hear()
        assert "Grüße" == device.read(notification)
        assert {"encoding": "aes128gcm"} == notification["headers"]
        update = {"channelID": row.id, "version": notification["version"], "code": 100}
        await device.socket.send_json({"messageType": "ack", "updates": [update]})
        assert {} == await device.ask()
        assert {} == await other.ask()
        assert [row.id] == [event.channel_id for event in mozilla_push.passed("ack", 100)]
    async with connected(mozilla_push, device.uaid) as device:
        assert {} == await device.ask()  # nothing waits


async def test_messages_wait_for_a_browser_that_is_away(
    mozilla_push: MozillaPush, sender: PushSender, vapid_keys: tuple[str, str]
) -> None:
    """It gets them after its next hello, also those that it did not acknowledge, but none without a TTL."""
    async with connected(mozilla_push) as device:
        row = await device.subscribe(vapid_keys[1])
        await sender.send(row, message("lost"))
        await device.hear()
    await until(lambda: mozilla_push.connected == 0)

    for text, ttl in (("kept", 60), ("gone", 0)):
        assert Delivery(Kind.SENT) == await sender.send(row, message(text, ttl))

    async with connected(mozilla_push, device.uaid) as again:
        assert again.uaid == device.uaid
        assert ["lost", "kept"] == [device.read(await again.hear()) for _ in range(2)]
        assert {} == await again.ask()


async def test_subscriptions_outlive_a_restart(
    mozilla_push: MozillaPush, sender: PushSender, vapid_keys: tuple[str, str]
) -> None:
    """On the same port, the same uaid is the same browser, and endpoints work."""
    async with connected(mozilla_push) as device:
        row = await device.subscribe(vapid_keys[1])
    await mozilla_push.stop()
    await mozilla_push.start(int(mozilla_push.origin.rpartition(":")[2]))

    async with connected(mozilla_push, device.uaid) as again:
        assert again.uaid == device.uaid
        assert Delivery(Kind.SENT) == await sender.send(row, message())
        assert "hello" == device.read(await again.hear())


async def test_a_forgotten_browser_gets_another_uaid(
    mozilla_push: MozillaPush, sender: PushSender, vapid_keys: tuple[str, str]
) -> None:
    """Its connection is closed and its endpoints are gone, so that Firefox subscribes anew."""
    async with connected(mozilla_push) as device:
        row = await device.subscribe(vapid_keys[1])

        await mozilla_push.forget()

        assert WSMsgType.CLOSE == (await device.socket.receive(PATIENCE)).type
    async with connected(mozilla_push, device.uaid) as again:
        assert again.uaid != device.uaid
    assert Kind.GONE == (await sender.send(row, message())).kind


async def test_an_unregistered_channel_is_gone(
    mozilla_push: MozillaPush, sender: PushSender, vapid_keys: tuple[str, str]
) -> None:
    """Senders get 410, and what was kept for it is dropped."""
    async with connected(mozilla_push) as device:
        row = await device.subscribe(vapid_keys[1])
        answer = await device.ask(messageType="unregister", channelID=row.id, code=200)
        assert {"messageType": "unregister", "channelID": row.id, "status": 200} == answer

        assert Kind.GONE == (await sender.send(row, message())).kind
        assert [410] == [event.code for event in mozilla_push.passed("refused")]


async def test_another_key_is_refused(
    mozilla_push: MozillaPush, senders: Callable[..., PushSender], vapid_keys: tuple[str, str]
) -> None:
    """A message that is signed with a key that the browser did not name never reaches it."""
    async with connected(mozilla_push) as device:
        row = await device.subscribe(vapid_keys[1])
        stranger = base64url(ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value.to_bytes(32))

        delivery = await senders(stranger).send(row, message())

        assert Kind.KEY_MISMATCH == delivery.kind
        assert {} == await device.ask()


async def test_what_a_sender_does_wrong_is_refused(mozilla_push: MozillaPush, vapid_keys: tuple[str, str]) -> None:
    """No token, a wrong one, one for another service, no TTL, another encoding, too long: the browser gets nothing."""
    signer = VapidSigner(parse_private_key(vapid_keys[0]), SUBJECT)
    right = {
        "Authorization": signer.header(mozilla_push.origin),
        "TTL": "60",
        "Content-Encoding": "aes128gcm",
    }
    wrong: list[tuple[dict[str, str], int, int]] = [
        ({"Authorization": ""}, 100, 401),
        ({"Authorization": "vapid t=a.b.c, k=" + vapid_keys[1]}, 100, 403),
        ({"Authorization": signer.header("http://127.0.0.1:1")}, 100, 403),
        ({"TTL": "soon"}, 100, 400),
        ({"Content-Encoding": "aesgcm"}, 100, 400),
        ({"Urgency": "now"}, 100, 400),
        ({}, 4097, 413),
        ({}, 100_000, 413),
    ]
    async with connected(mozilla_push) as device, aiohttp.ClientSession() as session:
        row = await device.subscribe(vapid_keys[1])
        for headers, length, status in wrong:
            async with session.post(row.endpoint, headers=right | headers, data=bytes(length)) as response:
                assert status == response.status
        async with session.post(mozilla_push.origin + "/wpush/never", headers=right) as response:
            assert 404 == response.status
        assert {} == await device.ask()

        async with session.post(row.endpoint, headers=right, data=bytes(4096)) as response:
            assert (201, "60") == (response.status, response.headers["TTL"])
        assert row.id == (await device.hear())["channelID"]


async def test_there_are_no_broadcasts(mozilla_push: MozillaPush, vapid_keys: tuple[str, str]) -> None:
    """Asking for some is not answered: Firefox takes any answer for the pong of a ping."""
    async with connected(mozilla_push) as device:
        await device.socket.send_json({"messageType": "broadcast_subscribe", "broadcasts": {"a/b": "1"}})
        await device.subscribe(vapid_keys[1])


async def test_a_browser_has_one_connection(mozilla_push: MozillaPush, vapid_keys: tuple[str, str]) -> None:
    """A second hello with its uaid ends the first connection."""
    async with connected(mozilla_push) as device:
        await device.subscribe(vapid_keys[1])
        async with connected(mozilla_push, device.uaid) as again:
            assert again.uaid == device.uaid
            assert WSMsgType.CLOSE == (await device.socket.receive(PATIENCE)).type
            await until(lambda: mozilla_push.connected == 1)


async def test_a_browser_without_subscriptions_is_forgotten(mozilla_push: MozillaPush) -> None:
    """Firefox names its uaid again only if it has some, so what it leaves behind must not pile up."""
    async with connected(mozilla_push) as device:
        pass
    await until(lambda: mozilla_push.connected == 0)

    async with connected(mozilla_push, device.uaid) as again:
        assert again.uaid != device.uaid


@pytest.mark.parametrize(("channel_id", "key"), [("../1", "k" * 87), (str(uuid.UUID(int=1)), "short"), ("1", "")])
async def test_a_channel_without_a_proper_name_and_key_is_refused(
    mozilla_push: MozillaPush, channel_id: str, key: str
) -> None:
    """The browser is told so, and stays connected."""
    async with connected(mozilla_push) as device:
        answer = await device.ask(messageType="register", channelID=channel_id, key=key)

        assert {"messageType": "register", "channelID": channel_id, "status": 400} == answer
        assert {} == await device.ask(messageType="ping")


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "{", "[" * 60_000, json.dumps({"messageType": "register"}), json.dumps({"messageType": 1})],
)
async def test_what_is_not_in_the_protocol_ends_the_connection(mozilla_push: MozillaPush, text: str) -> None:
    """Before the hello and after it; the service goes on."""
    async with aiohttp.ClientSession() as session, session.ws_connect(mozilla_push.url) as socket:
        await socket.send_str(text)
        assert WSMsgType.CLOSE == (await socket.receive(PATIENCE)).type
    async with connected(mozilla_push) as device:
        await device.socket.send_str(text)
        assert WSMsgType.CLOSE == (await device.socket.receive(PATIENCE)).type
    async with connected(mozilla_push) as device:
        assert {} == await device.ask()
