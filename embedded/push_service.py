"""A push service on this machine. It checks requests like the strict services, and decrypts them like a browser.

It uses none of the sender's code. It decrypts with http_ece, which pywebpush encrypts with; a test checks http_ece
against the example of RFC 8291.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Any

import http_ece
from aiohttp import web
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from storage.ports import Subscription

MAX_BODY = 4096
MAX_TOKEN_AGE = 24 * 3600
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


class _WrongError(Exception):
    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


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
            p256dh=_b64(key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)),
            auth=_b64(auth),
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
        except _WrongError as wrong:
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
            raise _WrongError(404, "no such subscription")
        if request.method != "POST":
            raise _WrongError(405, "not a POST")
        claims = self._verify(request.headers.get("Authorization", ""))
        _check_headers(request, body)
        return Received(device.subscription.id, _decrypt(device, body), dict(request.headers), claims)

    def _verify(self, authorization: str) -> dict[str, Any]:
        """The token's claims (RFC 8292): signed with the subscription's key, for this origin, for at most 24 hours."""
        token, key = _vapid_parts(authorization)
        if key != self._vapid_public_key:
            raise _WrongError(403, "VapidPkHashMismatch")
        claims = _verified_claims(token, key)
        if claims.get("aud") != self.origin:
            raise _WrongError(403, "aud is another origin")
        if not 0 < claims.get("exp", 0) - time.time() <= MAX_TOKEN_AGE:
            raise _WrongError(403, "exp is past or more than 24 hours ahead")
        if not str(claims.get("sub", "")).startswith(("mailto:", "https://")):
            raise _WrongError(403, "BadJwtToken: sub")
        return claims


def _check_headers(request: web.Request, body: bytes) -> None:
    if not request.headers.get("TTL", "").isdecimal():
        raise _WrongError(400, "no TTL")
    if request.headers.get("Content-Encoding") != "aes128gcm":
        raise _WrongError(400, "not aes128gcm")
    if request.headers.get("Urgency", "normal") not in {"very-low", "low", "normal", "high"}:
        raise _WrongError(400, "BadUrgency")
    if len(body) > MAX_BODY:
        raise _WrongError(413, "PayloadTooLarge")


def _vapid_parts(authorization: str) -> tuple[str, str]:
    scheme, _, rest = authorization.partition(" ")
    parts = dict(part.strip().split("=", 1) for part in rest.split(",") if "=" in part)
    if scheme != "vapid" or not {"t", "k"} <= parts.keys():
        raise _WrongError(401, "no VAPID token")
    return parts["t"], parts["k"]


def _verified_claims(token: str, key: str) -> dict[str, Any]:
    try:
        header, claims, signature = token.split(".")
        raw = _unb64(signature)
        der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _unb64(key))
        public.verify(der, f"{header}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
        if json.loads(_unb64(header))["alg"] != "ES256":
            raise _WrongError(403, "BadJwtToken: alg")
        return dict(json.loads(_unb64(claims)))
    except (ValueError, KeyError, InvalidSignature) as error:
        raise _WrongError(403, "BadJwtToken") from error


def _decrypt(device: _Device, body: bytes) -> str:
    try:
        text: bytes = http_ece.decrypt(body, private_key=device.key, auth_secret=device.auth, version="aes128gcm")
    except (http_ece.ECEException, InvalidTag, ValueError) as error:
        raise _WrongError(400, "can't be decrypted") from error
    return text.decode()


def make_vapid_keys() -> tuple[str, str]:
    """A private and a public key, in the form of `npx web-push generate-vapid-keys`."""
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_numbers().private_value.to_bytes(32)
    return _b64(private), _b64(key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
