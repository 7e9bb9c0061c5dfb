"""One encrypted message to one push service."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import structlog

from processors.outbound import NoAnswerError
from processors.public_hosts import is_within
from processors.push.answer import judge, refuses_topic
from processors.push.delivery import Delivery, Kind, Message
from processors.push.encrypt import encrypt
from processors.push.endpoints import AllowedHosts, Endpoint, EndpointRefusedError, EndpointRemovedError
from processors.push.keys import InvalidKeysError
from processors.push.services import WINDOWS
from processors.push.undeliverable import has_expired

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from processors.outbound import HttpClient
    from processors.push.vapid import VapidSigner
    from storage.ports import Subscription

# Seconds that an answer may take. pywebpush waits for ever, and Google's service once hung for two days
# (https://github.com/web-push-libs/web-push/issues/568).
PATIENCE = 10.0
RECENTLY = 3600.0  # seconds
# Subscriptions of earlier keys that are remembered; forgetting one costs a request.
MAX_REMEMBERED = 100_000
# A push service refuses a subscription, and not the server, if it has taken other messages between its refusals this
# many times.
PASSED_BY = 2
# Push services that are remembered. Windows' and Apple's have many hosts, but fewer than this.
MAX_ORIGINS = 1000
_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)
_OTHER_KEY = frozenset({Kind.KEY_MISMATCH, Kind.CONFIGURATION})


class PushSender:
    """Sends to push services, and remembers which keys they take."""

    def __init__(
        self,
        signers: Sequence[VapidSigner],
        allowed: AllowedHosts,
        http: HttpClient,
        patience: float = PATIENCE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Sign with the first key, or with the others for older subscriptions; call `allowed` hosts.

        An answer may take `patience` seconds; `clock` gives seconds since the epoch.
        """
        self._signers = signers
        self._allowed = allowed
        self._http = http
        self._patience = patience
        self._clock = clock
        self._proven: OrderedDict[str, float] = OrderedDict()
        self._earlier_keys: OrderedDict[int, VapidSigner] = OrderedDict()
        self._refusals: OrderedDict[int, tuple[int, float]] = (
            OrderedDict()
        )  # how often others were taken in between, and since when
        if allowed.local:
            _log.warning("local_endpoints", reason="PUSH_ALLOW_LOCAL_ENDPOINTS lets pushes call this machine")

    async def send(self, subscription: Subscription, message: Message) -> Delivery:
        """Encrypt and send; a fault of the subscription or of its push service is a Delivery, never an exception."""
        if has_expired(subscription, self._clock()):
            return Delivery(Kind.GONE, "past its expirationTime")
        try:
            endpoint = self._allowed.parse(subscription.endpoint)
        except EndpointRemovedError as error:
            return Delivery(Kind.GONE, str(error))
        except EndpointRefusedError as error:
            return Delivery(Kind.REFUSED_ENDPOINT, str(error))
        try:
            body = encrypt(subscription, message)
        except InvalidKeysError as error:
            return Delivery(Kind.UNREADABLE_KEYS, str(error))
        return self._weighed(endpoint, await self._send(endpoint, body, message))

    def origin(self, subscription: Subscription) -> str | None:
        """Scheme, host and port of the push service, or None if it must not be called."""
        try:
            return self._allowed.parse(subscription.endpoint).origin
        except EndpointRefusedError:
            return None

    def is_proven(self, origin: str) -> bool:
        """Whether this push service has taken a message with the current key within the hour."""
        at = self._proven.get(origin)
        return at is not None and 0 <= self._clock() - at < RECENTLY

    def has_taken_since(self, origin: str, moment: float) -> bool:
        """Whether it has taken one since that moment (seconds since the epoch)."""
        return self._proven.get(origin, 0.0) > moment

    def _weighed(self, endpoint: Endpoint, delivery: Delivery) -> Delivery:
        """The same delivery, or REFUSED if others were taken between its refusals: it is this subscription alone."""
        key, now = hash(endpoint.url), self._clock()
        if delivery.kind is not Kind.CONFIGURATION:
            if delivery.kind is Kind.SENT and self._refusals:
                self._refusals.pop(key, None)
            return delivery
        times, since = self._refusals.get(key, (0, now))
        if self.has_taken_since(endpoint.origin, since):
            times, since = times + 1, now
        _put(self._refusals, key, (times, since), MAX_REMEMBERED)
        if times < PASSED_BY:
            return delivery
        return Delivery(Kind.REFUSED, f"refused again and again, while others are taken: {delivery.reason}")

    async def _send(self, endpoint: Endpoint, body: bytes, message: Message) -> Delivery:
        """Send with the key that the subscription was made with: the current one, or an earlier one.

        It is a mismatch only if all keys are.
        """
        known = self._earlier_keys.get(hash(endpoint.url))
        refusals: list[Delivery] = []
        for signer in sorted(self._signers, key=lambda each: each is not known):
            delivery = await self._send_as(signer, endpoint, body, message)
            if delivery.kind not in _OTHER_KEY:
                self._remember(signer, endpoint, delivery)
                return delivery
            refusals.append(delivery)
            if signer is known:
                self._earlier_keys.pop(hash(endpoint.url), None)  # another message may have been first
        others = (each for each in refusals if each.kind is not Kind.KEY_MISMATCH)
        return next(others, refusals[0])

    def _remember(self, signer: VapidSigner, endpoint: Endpoint, delivery: Delivery) -> None:
        if delivery.kind is not Kind.SENT:
            return
        if signer is self._signers[0]:
            _put(self._proven, endpoint.origin, self._clock(), MAX_ORIGINS)
        else:
            _put(self._earlier_keys, hash(endpoint.url), signer, MAX_REMEMBERED)

    async def _send_as(self, signer: VapidSigner, endpoint: Endpoint, body: bytes, message: Message) -> Delivery:
        """Send with one key; once more with a new token if the server is refused, or without a refused topic."""
        headers = headers_for(endpoint, message)
        headers["Authorization"] = signer.header(endpoint.origin)
        delivery = await self._post(endpoint, body, headers)
        if delivery.kind is Kind.CONFIGURATION:
            headers["Authorization"] = signer.renew(endpoint.origin)
            delivery = await self._post(endpoint, body, headers)
        if "Topic" in headers and refuses_topic(delivery):
            del headers["Topic"]
            delivery = await self._post(endpoint, body, headers)
        return delivery

    async def _post(self, endpoint: Endpoint, body: bytes, headers: dict[str, str]) -> Delivery:
        try:
            answer = await self._http.request(
                "POST",
                endpoint.url,
                seconds=self._patience,
                headers=headers,
                body=body,
                loopback=self._allowed.local,
            )
        except NoAnswerError as error:
            return Delivery(Kind.TRANSIENT, str(error))
        return judge(answer.status, answer.headers, answer.body, self._clock())


def _put(table: OrderedDict[Any, Any], key: Any, value: Any, limit: int) -> None:
    table[key] = value
    table.move_to_end(key)
    if len(table) > limit:
        table.popitem(last=False)


def headers_for(endpoint: Endpoint, message: Message) -> dict[str, str]:
    """The headers of RFC 8030 and RFC 8291, all but the authorization."""
    headers = {
        "TTL": str(message.ttl),
        "Urgency": message.urgency,
        "Content-Encoding": "aes128gcm",
        "Content-Type": "application/octet-stream",
    }
    if message.topic is not None:
        headers["Topic"] = message.topic
    if is_within(endpoint.host, WINDOWS):
        # Without it a TTL "conflicts", and 0 does with it (https://github.com/web-push-libs/pywebpush/issues/162).
        headers["X-WNS-Cache-Policy"] = "cache"
        headers["TTL"] = str(max(1, message.ttl))
    return headers
