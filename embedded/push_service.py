"""A push service on this machine. It checks requests like the strict services, and decrypts them like a browser.

It uses none of the sender's code. It decrypts with http_ece, which pywebpush encrypts with; a test checks http_ece
against the example of RFC 8291.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Any

import http_ece
from aiohttp import web
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from embedded.push_checks import WrongPushError, base64url, check_message, check_token, make_vapid_keys
from storage.ports import Subscription

__all__ = ["SUBJECT", "Answer", "PushService", "Received", "make_vapid_keys"]

SUBJECT = "mailto:ops@pushmill.dev"


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a correct push, sent after `delay` seconds; with `hang`, only when the service stops."""

    status: int = 201
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay: float = 0.0
    hang: bool = False


@dataclass(frozen=True, slots=True)
class Received:
    """One correct push: the decrypted `text`, the request's headers and the claims of its token."""

    subscription_id: str
    text: str
    headers: dict[str, str]
    claims: dict[str, Any]

    @property
    def json(self) -> Any:
        """The value of `event.data.json()` in a service worker."""
        return json.loads(self.text)


@dataclass(frozen=True, slots=True)
class _Device:
    subscription: Subscription
    key: ec.EllipticCurvePrivateKey
    auth: bytes


class PushService:
    """The service and its devices. `received` has the correct pushes, `refused` the reasons for the others.

    `requests` counts all requests. `peak` is the greatest number of open ones. `pace` delays each answer (seconds).
    """

    def __init__(self, vapid_public_key: str, host: str = "127.0.0.1") -> None:
        """`vapid_public_key`: the base64url key with which the devices subscribed (`applicationServerKey`)."""
        self._vapid_public_key = vapid_public_key
        self._host = host
        self._devices: dict[str, _Device] = {}
        self._answers: dict[str, Answer] = {}
        self._stopping = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._open = 0
        self._once: dict[str, deque[Answer]] = defaultdict(deque)
        self.pace = 0.0
        self.origin = ""
        self.received: list[Received] = []
        self.refused: list[str] = []
        self.requests = 0
        self.peak = 0

    async def start(self) -> None:
        """Listen on a free port of the loopback interface."""
        app = web.Application(client_max_size=1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, 0)
        await site.start()
        port = self._runner.addresses[0][1]
        self.origin = f"http://{self._host}:{port}"

    async def stop(self) -> None:
        """Answer the hanging requests, and close."""
        self._stopping.set()
        if self._runner is not None:
            await self._runner.cleanup()

    def subscribe(self, user_id: str = "user-1") -> Subscription:
        """Add a device of this user with new keys. Returns its row, as the app would store it."""
        number = len(self._devices) + 1
        token = base64.urlsafe_b64encode(os.urandom(48)).decode()
        key = ec.generate_private_key(ec.SECP256R1())
        auth = os.urandom(16)
        subscription = Subscription(
            id=f"sub-{number:04}",
            user_id=user_id,
            endpoint=f"{self.origin}/wpush/{token}",
            p256dh=base64url(key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)),
            auth=base64url(auth),
        )
        self._devices[f"/wpush/{token}"] = _Device(subscription, key, auth)
        return subscription

    def answer(self, subscription: Subscription, answer: Answer) -> None:
        """Answer all later pushes to this device with `answer`."""
        self._answers[subscription.endpoint.removeprefix(self.origin)] = answer

    def answer_once(self, subscription: Subscription, *answers: Answer) -> None:
        """Answer the next pushes to this device with these answers, one each; later ones as usual."""
        self._once[subscription.endpoint.removeprefix(self.origin)].extend(answers)

    def texts(self, subscription: Subscription) -> list[str]:
        """The texts that this device received, oldest first."""
        return [push.text for push in self.received if push.subscription_id == subscription.id]

    async def _handle(self, request: web.Request) -> web.Response:
        self.requests += 1
        self._open += 1
        self.peak = max(self.peak, self._open)
        try:
            return await self._respond(request)
        finally:
            self._open -= 1

    async def _respond(self, request: web.Request) -> web.Response:
        try:
            push = self._check(request, await request.read())
        except WrongPushError as wrong:
            self.refused.append(str(wrong))
            return web.json_response({"reason": str(wrong)}, status=wrong.status)
        once = self._once[request.path]
        answer = once.popleft() if once else self._answers.get(request.path, Answer())
        if answer.hang:
            await self._stopping.wait()
        await asyncio.sleep(answer.delay + self.pace)
        if 200 <= answer.status < 300:  # noqa: PLR2004 -- a success
            self.received.append(push)
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)

    def _check(self, request: web.Request, body: bytes) -> Received:
        device = self._devices.get(request.path)
        if device is None:
            raise WrongPushError(404, "no such subscription")
        if request.method != "POST":
            raise WrongPushError(405, "not a POST")
        claims = check_token(request.headers, self._vapid_public_key, self.origin)
        check_message(request.headers, body)
        return Received(device.subscription.id, _decrypt(device, body), dict(request.headers), claims)


def _decrypt(device: _Device, body: bytes) -> str:
    try:
        text: bytes = http_ece.decrypt(body, private_key=device.key, auth_secret=device.auth, version="aes128gcm")
    except (http_ece.ECEException, InvalidTag, ValueError) as error:
        raise WrongPushError(400, "can't be decrypted") from error
    return text.decode()
