"""A push service on this machine for a real Chromium, whose switches name it in place of Google's.

Chromium checks in, registers each subscription over HTTP, and gets messages over a TLS connection. It takes the
endpoints that it hands to pages from its own code: https://jmt17.google.com/fcm/send/<token> (in Chrome
https://fcm.googleapis.com/...). `here` is the same endpoint at this service, for senders on this machine.
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from aiohttp import web

from embedded.google_frames import VERSION, Tag, field, fixed, frame, read_frame, texts
from embedded.mozilla_mailboxes import Mailboxes
from embedded.push_checks import WrongPushError, check_message, check_token

if TYPE_CHECKING:
    from pathlib import Path

    from embedded.mozilla_mailboxes import Browser, Message

SEND = "/fcm/send/"
LOGIN_WITHIN = 30.0  # seconds
SECRET_BITS = 63

# Fields of its messages, by number.
CHECKED_IN, CHECKED_IN_AT, ANDROID_ID, SECURITY_TOKEN = 1, 3, 7, 8
LOGIN_USER, LOGIN_RECEIVED = 3, 10
FROM, CATEGORY, APP_DATA, PERSISTENT_ID, RAW_DATA = 3, 5, 7, 9, 21


@dataclass(slots=True)
class _Device:
    """A profile of Chromium: its channels, what it calls itself, and its connection while there is one."""

    browser: Browser
    app: str = ""
    connection: asyncio.StreamWriter | None = None


class GooglePush:
    """The service. `origin` is that of the endpoints of `here`."""

    def __init__(self, certificate: Path, key: Path, host: str = "127.0.0.1") -> None:
        """Serve only this machine. The certificate may be a self-signed one."""
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate, key)
        self._host = host
        self._mailboxes = Mailboxes()
        self._devices: dict[str, _Device] = {}  # by Android's id, which Chromium has, too
        self._runner: web.AppRunner | None = None
        self._server: asyncio.Server | None = None
        self._port = 0
        self.origin = ""

    @property
    def switches(self) -> list[str]:
        """Those with which Chromium comes here. Its web pages may have any certificate then."""
        return [
            f"--gcm-checkin-url={self.origin}/checkin",
            f"--gcm-registration-url={self.origin}/register",
            f"--gcm-mcs-endpoint=https://{self._host}:{self._port}",
            "--ignore-certificate-errors",
        ]

    def here(self, endpoint: str) -> str:
        """Where a sender reaches this endpoint of Chromium's."""
        return self.origin + SEND + endpoint.rpartition("/")[2]

    async def start(self) -> None:
        """Listen on two free ports."""
        app = web.Application()
        app.router.add_post("/checkin", self._check_in)
        app.router.add_post("/register", self._register)
        app.router.add_post(SEND + "{token}", self._push)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, 0).start()
        self.origin = f"http://{self._host}:{self._runner.addresses[0][1]}"
        self._server = await asyncio.start_server(self._connect, self._host, 0, ssl=self._tls)
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Close all connections."""
        for device in self._devices.values():
            if device.connection:
                device.connection.transport.abort()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _check_in(self, _: web.Request) -> web.Response:
        device, token = secrets.randbits(SECRET_BITS), secrets.randbits(SECRET_BITS)
        self._devices[str(device)] = _Device(self._mailboxes.hello(None))
        body = field(CHECKED_IN, 1) + field(CHECKED_IN_AT, int(time.time() * 1000))
        return web.Response(body=body + fixed(ANDROID_ID, device) + fixed(SECURITY_TOKEN, token))

    async def _register(self, request: web.Request) -> web.Response:
        """Begin a subscription, or end it. `X-subtype` names it, `sender` is its VAPID key."""
        form = dict(parse_qsl(await request.text()))
        device = self._devices.get(form.get("device", ""))
        if device is None:
            return web.Response(text="Error=PHONE_REGISTRATION_ERROR")
        name = form.get("X-subtype", "")
        if "delete" in form:
            self._mailboxes.unregister(device.browser, name)
            return web.Response(text=f"token={form.get('appid')}")
        if name:  # Chromium also registers itself
            device.app = form.get("app", "")
        channel = self._mailboxes.register(device.browser, name, form.get("sender", ""))
        return web.Response(text=f"token={channel.token}")

    async def _push(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            channel = self._mailboxes.find(request.match_info["token"])
            check_token(request.headers, channel.key, self.origin)
            check_message(request.headers, body)
        except WrongPushError as wrong:
            return web.Response(status=wrong.status, text=str(wrong))
        message = self._mailboxes.keep(channel, body, int(request.headers["TTL"]), request.headers.get("Topic"))
        for device in self._devices.values():
            if device.browser.uaid == channel.uaid and device.connection:
                device.connection.write(_data(device, message))
        return web.Response(status=HTTPStatus.CREATED, headers={"Location": f"{self.origin}/m/{message.version}"})

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        device: _Device | None = None
        with suppress(asyncio.IncompleteReadError, ConnectionError, TimeoutError, ValueError, KeyError):
            device = await self._log_in(reader, writer)
            while True:
                tag, _ = await read_frame(reader)
                if tag == Tag.PING:
                    writer.write(frame(Tag.PONG, b""))
        if device and device.connection is writer:
            device.connection = None
        writer.transport.abort()

    async def _log_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> _Device:
        """Answer the login, and hand on what was kept. Raises what a wrong one raises."""
        async with asyncio.timeout(LOGIN_WITHIN):
            await reader.readexactly(1)  # its version
            _, login = await read_frame(reader)
        [user] = texts(login, LOGIN_USER)
        device = self._devices[user]
        for version in texts(login, LOGIN_RECEIVED):
            self._mailboxes.acknowledge(device.browser, version)
        answer = field(1, "login") + field(8, int(time.time() * 1000))
        writer.write(bytes([VERSION]) + frame(Tag.LOGGED_IN, answer))
        device.connection = writer
        for message in self._mailboxes.waiting(device.browser):
            writer.write(_data(device, message))
        return device


def _data(device: _Device, message: Message) -> bytes:
    """The frame of a message, whose content only the browser can decrypt."""
    channel = device.browser.channels[message.channel_id]
    more = {"subtype": channel.id, "content-encoding": "aes128gcm"}
    fields = [
        field(FROM, channel.key),
        field(CATEGORY, device.app),
        *(field(APP_DATA, field(1, name) + field(2, value)) for name, value in more.items()),
        field(PERSISTENT_ID, message.version),
        field(RAW_DATA, message.body),
    ]
    return frame(Tag.DATA, b"".join(fields))
