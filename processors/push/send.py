"""One encrypted message to one push service, over one HTTP session for all of them."""

from __future__ import annotations

import time
from asyncio import sslproto
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import aiohttp
import structlog

from processors.push.allowance import most_in_flight
from processors.push.answer import judge, refuses_topic
from processors.push.dead_rows import has_expired
from processors.push.delivery import Delivery, Kind, Message
from processors.push.encrypt import encrypt
from processors.push.endpoints import AllowedHosts, Endpoint, EndpointRefusedError, EndpointRemovedError
from processors.push.guard import AddressRefusedError, socket_factory
from processors.push.hostname import is_within
from processors.push.keys import InvalidKeysError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from processors.push.vapid import VapidSigner
    from storage.ports import Subscription

# Seconds. pywebpush waits for ever, and Google's service once hung for two days
# (https://github.com/web-push-libs/web-push/issues/568).
TIMEOUT = aiohttp.ClientTimeout(total=10, connect=5)
MAX_ANSWER = 4096
# Bytes of a line and lines of an answer's head. A head beyond them is an answer that is lost, and its push is sent
# again: aiohttp's own limits, 8,190 and 128, are below what proxies add. Node takes 16 KiB in all.
MAX_LINE, MAX_LINES = 32_768, 500
# Bytes that a connection over TLS reads into: one record. asyncio sets 256 KiB aside for each, 75 MiB for 300 of them.
TLS_BUFFER = 16_384
RECENTLY = 3600.0  # seconds
# Subscriptions of earlier keys that are remembered as such; forgetting one costs a request.
MAX_REMEMBERED = 100_000
# So often must a push service have taken another message between two refusals of a subscription until it is this
# subscription that it refuses, and not the server.
PASSED_BY = 2
# Windows' and Apple's services have many hosts, but not so many.
MAX_ORIGINS = 1000
_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)
_OTHER_KEY = frozenset({Kind.KEY_MISMATCH, Kind.CONFIGURATION})


class PushSender:
    """Sends to push services. The session opens at the first message and lives until `close`."""

    def __init__(
        self,
        signers: Sequence[VapidSigner],
        allowed: AllowedHosts,
        timeout: aiohttp.ClientTimeout = TIMEOUT,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take who signs (the current key first, then those of older subscriptions), and who may be called."""
        self._signers = signers
        self._allowed = allowed
        self._timeout = timeout
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._proven: OrderedDict[str, float] = OrderedDict()
        self._earlier_keys: OrderedDict[int, VapidSigner] = OrderedDict()
        self._refusals: OrderedDict[int, tuple[int, float]] = (
            OrderedDict()
        )  # how often it was passed by, and since when
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

    async def close(self) -> None:
        """Close the session; a later `send` opens a new one."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _weighed(self, endpoint: Endpoint, delivery: Delivery) -> Delivery:
        """A refusal of the server, or of this subscription alone: others passed between its refusals, twice."""
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
        """Send with the key that the subscription was made with: the current one, or else one before it.

        A mismatch is one only if every key is.
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
        session = self._session or self._open()
        try:
            async with session.post(endpoint.url, data=body, headers=headers, allow_redirects=False) as response:
                return judge(response.status, response.headers, await _beginning(response), self._clock())
        except TimeoutError:
            return Delivery(Kind.TRANSIENT, "no answer in time")
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, AddressRefusedError):
                return Delivery(Kind.TRANSIENT, str(error.os_error))
            return Delivery(Kind.TRANSIENT, f"no connection: {type(error).__name__}")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # The class alone: aiohttp's messages may hold the URL.
            return Delivery(Kind.TRANSIENT, f"no answer: {type(error).__name__}")

    def _open(self) -> aiohttp.ClientSession:
        sslproto.SSLProtocol.max_size = TLS_BUFFER
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=most_in_flight(),
                keepalive_timeout=60,
                ttl_dns_cache=60,
                socket_factory=socket_factory(local=self._allowed.local),
            ),
            timeout=self._timeout,
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # an encoding that aiohttp lacks would hide the status
            max_line_size=MAX_LINE,
            max_field_size=MAX_LINE,
            max_headers=MAX_LINES,
            headers={"User-Agent": "pushmill", "Accept-Encoding": "identity"},
        )
        return self._session


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
    if is_within(endpoint.host, "notify.windows.com"):
        # Without it a TTL "conflicts", and 0 does with it (https://github.com/web-push-libs/pywebpush/issues/162).
        headers["X-WNS-Cache-Policy"] = "cache"
        headers["TTL"] = str(max(1, message.ttl))
    return headers


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """At most 4 KiB of the answer. A break in it, or its never ending, changes nothing: the status is the answer."""
    body = b""
    try:
        while len(body) < MAX_ANSWER and (chunk := await response.content.read(MAX_ANSWER - len(body))):
            body += chunk
    except (aiohttp.ClientError, OSError, TimeoutError):
        pass
    return body
