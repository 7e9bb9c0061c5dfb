"""A push service on this machine for a real Firefox, whose preference `dom.push.serverURL` names it.

It speaks the websocket protocol of Mozilla's push service (hello, register, unregister, notification, ack, nack, ping)
without broadcasts. Senders use it like any push service; it checks them and hands on what only the browser can decrypt.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections import deque
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from aiohttp import WSCloseCode, WSMsgType, web

from embedded.mozilla_mailboxes import Mailboxes
from embedded.push_checks import WrongPushError, base64url, check_message, check_token

if TYPE_CHECKING:
    from embedded.mozilla_mailboxes import Browser, Message

MAX_FRAME = 64 * 1024
MAX_EVENTS = 1_000
HELLO_WITHIN = 30.0  # seconds
SEND_WITHIN = 10.0  # seconds
UNPADDED_KEY = 87  # characters: 65 bytes in base64url
PUSH = "/wpush/"


@dataclass(frozen=True, slots=True)
class Event:
    """What passed. `kind`: a type of message of the protocol, or `push` and `refused` for requests of senders.

    `code`: the status of an answer, or the code of the browser's ack (100: shown to the service worker, 101: it could
    not decrypt, 102: not delivered) or nack.
    """

    kind: str
    channel_id: str = ""
    code: int = 0
    text: str = ""


class MozillaPush:
    """The service. `url` is for browsers, `origin` that of endpoints; `events` has the last things that passed."""

    def __init__(self, host: str = "127.0.0.1", mailboxes: Mailboxes | None = None) -> None:
        """Serve only this machine, unless `host` says otherwise."""
        self._host = host
        self._mailboxes = mailboxes or Mailboxes()
        self._sockets: dict[str, web.WebSocketResponse] = {}  # by uaid
        self._runner: web.AppRunner | None = None
        self.events: deque[Event] = deque(maxlen=MAX_EVENTS)
        self.origin = ""

    @property
    def url(self) -> str:
        """The value of `dom.push.serverURL`."""
        return self.origin.replace("http:", "ws:", 1) + "/"

    @property
    def connected(self) -> int:
        """How many browsers are connected."""
        return len(self._sockets)

    def passed(self, kind: str, code: int | None = None) -> list[Event]:
        """The events of this kind, oldest first; with `code`, only those."""
        return [event for event in self.events if event.kind == kind and code in {None, event.code}]

    async def start(self, port: int = 0) -> None:
        """Listen; 0 is any free port. After `stop`, another `start` continues with the same subscriptions."""
        app = web.Application(client_max_size=MAX_FRAME)
        app.router.add_get("/", self._browser)
        app.router.add_post(PUSH + "{token}", self._push)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, port, reuse_address=True).start()
        self.origin = f"http://{self._host}:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Close all connections; messages are kept."""
        await self.disconnect()
        if self._runner is not None:
            await self._runner.cleanup()

    async def disconnect(self) -> None:
        """Close the connections of the browsers, which come back by themselves."""
        for socket in list(self._sockets.values()):
            await socket.close(code=WSCloseCode.GOING_AWAY)

    async def forget(self) -> None:
        """Forget all browsers, as a service that lost its data: they subscribe anew (`pushsubscriptionchange`)."""
        self._mailboxes.forget_all()
        await self.disconnect()

    async def _push(self, request: web.Request) -> web.Response:
        body = await request.read()
        try:
            channel = self._mailboxes.find(request.match_info["token"])
            check_token(request.headers, channel.key, self.origin)
            check_message(request.headers, body)
        except WrongPushError as wrong:
            self.events.append(Event("refused", code=wrong.status, text=str(wrong)))
            return web.json_response({"code": wrong.status, "message": str(wrong)}, status=wrong.status)
        self.events.append(Event("push", channel.id, HTTPStatus.CREATED))
        message = self._mailboxes.keep(channel, body, int(request.headers["TTL"]), request.headers.get("Topic"))
        if socket := self._sockets.get(channel.uaid):
            await self._hand_on(socket, message)
        location = f"{self.origin}/m/{message.version}"
        return web.Response(status=HTTPStatus.CREATED, headers={"Location": location, "TTL": request.headers["TTL"]})

    async def _browser(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(protocols=("push-notification",), max_msg_size=MAX_FRAME)
        await socket.prepare(request)
        browser: Browser | None = None
        try:
            browser = await self._greet(socket)
            async for frame in socket:
                if frame.type is WSMsgType.TEXT:
                    await self._answer(socket, browser, _read(frame.data))
        except (ValueError, TypeError, TimeoutError):
            await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"not in the protocol")
        except ConnectionError:
            pass  # the browser is gone
        finally:
            if browser is not None and self._sockets.get(browser.uaid) is socket:
                del self._sockets[browser.uaid]
                if not browser.channels:
                    self._mailboxes.forget(browser)  # Firefox does not name its uaid again without a subscription
        return socket

    async def _greet(self, socket: web.WebSocketResponse) -> Browser:
        """Answer the hello, and hand on what was kept. Raises ValueError, TypeError and TimeoutError."""
        hello = _read(await socket.receive_str(timeout=HELLO_WITHIN))
        if hello.get("messageType") != "hello":
            raise ValueError(hello)
        uaid = hello.get("uaid")
        browser = self._mailboxes.hello(uaid if isinstance(uaid, str) else None)
        self.events.append(Event("hello", text=browser.uaid))
        await _send(
            socket, {"messageType": "hello", "uaid": browser.uaid, "status": 200, "use_webpush": True, "broadcasts": {}}
        )
        if earlier := self._sockets.pop(browser.uaid, None):
            await earlier.close(code=WSCloseCode.GOING_AWAY)
        self._sockets[browser.uaid] = socket
        for message in self._mailboxes.waiting(browser):
            await self._hand_on(socket, message)
        return browser

    async def _answer(self, socket: web.WebSocketResponse, browser: Browser, message: dict[str, Any]) -> None:
        """Do what the browser asks. Raises ValueError if it is not in the protocol."""
        match message:
            case {"messageType": "register", "channelID": str(channel_id), "key": str(key)}:
                await _send(socket, self._registered(browser, channel_id, key))
            case {"messageType": "unregister", "channelID": str(channel_id)}:
                self._mailboxes.unregister(browser, channel_id)
                self.events.append(Event("unregister", channel_id, _code(message)))
                await _send(socket, {"messageType": "unregister", "channelID": channel_id, "status": 200})
            case {"messageType": "ack", "updates": [*updates]}:
                for update in updates:
                    self._acknowledged(browser, update)
            case {"messageType": "nack", "version": str(version)}:
                self.events.append(Event("nack", code=_code(message), text=version))
            case {"messageType": "broadcast_subscribe"}:
                pass  # there are none to tell of, and Firefox does not expect a pong
            case {} if not message or message.get("messageType") == "ping":
                await _send(socket, {})
            case _:
                raise ValueError(message)

    def _registered(self, browser: Browser, channel_id: str, key: str) -> dict[str, Any]:
        """The answer to a `register`. A subscription without a VAPID key is refused: anyone could send to it."""
        unpadded = key.rstrip("=")
        reply: dict[str, Any] = {"messageType": "register", "channelID": channel_id, "status": 400}
        with contextlib.suppress(ValueError, WrongPushError):
            if str(uuid.UUID(channel_id)) == channel_id and len(unpadded) == UNPADDED_KEY:
                channel = self._mailboxes.register(browser, channel_id, unpadded)
                reply |= {"status": 200, "pushEndpoint": f"{self.origin}{PUSH}{channel.token}"}
        self.events.append(Event("register", channel_id, reply["status"]))
        return reply

    def _acknowledged(self, browser: Browser, update: Any) -> None:
        match update:
            case {"channelID": str(channel_id), "version": str(version)}:
                self._mailboxes.acknowledge(browser, version)
                self.events.append(Event("ack", channel_id, _code(update), version))

    async def _hand_on(self, socket: web.WebSocketResponse, message: Message) -> None:
        """Send a message to its browser. One that does not take it gets it when it is back."""
        data = {"channelID": message.channel_id, "version": message.version, "data": base64url(message.body)}
        try:
            async with asyncio.timeout(SEND_WITHIN):
                await _send(socket, {"messageType": "notification", "headers": {"encoding": "aes128gcm"}, **data})
        except (TimeoutError, ConnectionError):
            await socket.close()
        else:
            self.events.append(Event("notification", message.channel_id, text=message.version))


async def _send(socket: web.WebSocketResponse, message: dict[str, Any]) -> None:
    await socket.send_str(json.dumps(message))


def _read(text: str) -> dict[str, Any]:
    """A JSON object. Raises ValueError."""
    try:
        message = json.loads(text)
    except RecursionError as error:
        raise ValueError(text) from error
    if not isinstance(message, dict):
        raise ValueError(text)  # noqa: TRY004 -- not in the protocol, like bad JSON
    return message


def _code(message: dict[str, Any]) -> int:
    code = message.get("code")
    return code if isinstance(code, int) else 0
