"""The local push service for Chromium, as a browser and a sender meet it."""

from __future__ import annotations

import asyncio
import ssl
import struct
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from embedded.google_frames import MAX_FRAME, VERSION, Tag, field, fields, frame, number, read_frame, texts
from embedded.push_checks import base64url
from processors.push.delivery import Delivery, Kind, Message
from storage.ports import Subscription
from tests.support.polling import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from embedded.google_push import GooglePush
    from processors.push.send import PushSender

AUTH = bytes(16)
RAW_DATA, PERSISTENT_ID = 21, 9


class Device:
    """A browser that has checked in."""

    def __init__(self, service: GooglePush, number: str) -> None:
        self._service = service
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.number = number

    async def register(self, name: str, key: str, **more: str) -> Subscription:
        """Begin a subscription with this VAPID key; returns the row of an app."""
        form = {"device": self.number, "X-subtype": name, "sender": key, **more}
        answer = await post(self._service.origin + "/register", form)
        endpoint = self._service.here("https://jmt17.google.com/fcm/send/" + answer.decode().removeprefix("token="))
        point = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return Subscription(name, "u", endpoint, base64url(point), base64url(AUTH))

    @asynccontextmanager
    async def connected(self, *received: str) -> AsyncIterator[asyncio.StreamReader]:
        """Log in, and say which messages have arrived."""
        reader, writer = await connect(self._service)
        login = field(3, self.number) + b"".join(field(10, each) for each in received)
        writer.write(bytes([VERSION]) + frame(Tag.LOGIN, login))
        assert VERSION == (await reader.readexactly(1))[0]
        assert Tag.LOGGED_IN == (await read_frame(reader))[0]
        yield reader
        writer.write(frame(Tag.PING, b""))
        assert (Tag.PONG, b"") == await read_frame(reader)  # and nothing else
        writer.transport.abort()

    async def text(self, reader: asyncio.StreamReader) -> tuple[str, str]:
        """The id and the text of the next message."""
        async with asyncio.timeout(PATIENCE):
            tag, data = await read_frame(reader)
        assert Tag.DATA == tag
        body = dict(fields(data))[RAW_DATA]
        text = http_ece.decrypt(body, private_key=self._key, auth_secret=AUTH, version="aes128gcm")
        return texts(data, PERSISTENT_ID)[0], text.decode()


async def post(url: str, form: dict[str, str] | bytes = b"") -> bytes:
    """The answer."""
    async with aiohttp.ClientSession() as session, session.post(url, data=form) as answer:
        return await answer.read()


async def connect(service: GooglePush) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the address of the switch, as Chromium makes it."""
    [address] = [each for each in service.switches if "mcs" in each]
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]), ssl=context)


@pytest.fixture
async def device(google_push: GooglePush) -> Device:
    """A browser of the service."""
    answer = await post(google_push.origin + "/checkin")
    place = answer.index(number(7 << 3 | 1))
    return Device(google_push, str(struct.unpack_from("<Q", answer, place + 1)[0]))


@pytest.fixture
def sender(senders: Callable[..., PushSender], vapid_keys: tuple[str, str]) -> PushSender:
    """The worker's sender."""
    return senders(vapid_keys[0])


def message(text: str) -> Message:
    """A message of the worker."""
    return Message(text.encode(), 60, "normal")


async def test_a_message_reaches_its_browser(device: Device, sender: PushSender, vapid_keys: tuple[str, str]) -> None:
    """It waits for a browser that is away, and until the browser says that it has arrived."""
    row = await device.register("wp:one", vapid_keys[1])

    assert Delivery(Kind.SENT) == await sender.send(row, message("away"))
    async with device.connected() as reader:
        version, text = await device.text(reader)
        assert "away" == text
        assert Delivery(Kind.SENT) == await sender.send(row, message("Grüße"))
        assert "Grüße" == (await device.text(reader))[1]
    async with device.connected(version) as reader:
        assert "Grüße" == (await device.text(reader))[1]


async def test_an_ended_subscription_is_gone(
    google_push: GooglePush, device: Device, sender: PushSender, vapid_keys: tuple[str, str]
) -> None:
    """So is one of another key refused, and one that never was unknown."""
    row = await device.register("wp:one", vapid_keys[1])
    other = await device.register("wp:two", "another key")
    assert Kind.SENT == (await sender.send(row, message("hello"))).kind
    assert Kind.SENT != (await sender.send(other, message("hello"))).kind

    await device.register("wp:one", vapid_keys[1], delete="true", appid="x")

    assert Kind.GONE == (await sender.send(row, message("hello"))).kind
    assert b"Error=PHONE_REGISTRATION_ERROR" == await post(google_push.origin + "/register", {"device": "1"})


@pytest.mark.parametrize(
    "sent",
    [
        bytes([VERSION]) + frame(Tag.LOGIN, field(3, "nobody")),
        bytes([VERSION]) + frame(Tag.LOGIN, b""),
        bytes([VERSION]) + frame(Tag.LOGIN, b"\xff\xff\xff"),
        bytes([VERSION]) + frame(Tag.LOGIN, b"\x07"),
        bytes([VERSION, Tag.LOGIN]) + number(MAX_FRAME + 1),
    ],
)
async def test_what_is_no_login_is_not_answered(google_push: GooglePush, sent: bytes) -> None:
    """The connection is closed."""
    reader, writer = await connect(google_push)
    writer.write(sent)

    async def is_closed() -> Any:
        try:
            return not await reader.read(1)
        except ConnectionError:
            return True

    assert await until(is_closed)
    writer.close()
