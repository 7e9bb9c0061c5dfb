"""One encrypted message to one push service, over one HTTP session for all of them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp

from processors.push.answer import judge
from processors.push.delivery import Delivery, Failed, Gone, Message
from processors.push.encrypt import InvalidKeysError, encrypt
from processors.push.endpoints import AllowedHosts, Endpoint, EndpointRefusedError
from processors.push.hostname import is_within

if TYPE_CHECKING:
    from processors.push.vapid import VapidSigner
    from storage.ports import Subscription

# Seconds. pywebpush waits for ever, and Google's service once hung for two days
# (https://github.com/web-push-libs/web-push/issues/568).
TIMEOUT = aiohttp.ClientTimeout(total=10, connect=5)
# In the whole process; as many connections may be open.
MAX_IN_FLIGHT = 100
MAX_ANSWER = 4096


class PushSender:
    """Sends to push services. The session opens at the first message and lives until `close`."""

    def __init__(self, signer: VapidSigner, allowed: AllowedHosts, timeout: aiohttp.ClientTimeout = TIMEOUT) -> None:
        """Take who signs and who may be called."""
        self._signer = signer
        self._allowed = allowed
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None
        # Waiting for one of aiohttp's connections would count as time of the request: wait here instead.
        self._slots = asyncio.Semaphore(MAX_IN_FLIGHT)

    async def send(self, subscription: Subscription, message: Message) -> Delivery:
        """Encrypt and send; a fault of the subscription or of its push service is a Delivery, never an exception."""
        async with self._slots:
            try:
                endpoint = self._allowed.parse(subscription.endpoint)
                body = encrypt(subscription, message.body)
            except EndpointRefusedError as error:
                return Failed(str(error))
            except InvalidKeysError as error:
                return Gone(str(error))
            return await self._post(endpoint, body, message)

    async def close(self) -> None:
        """Close the session; a later `send` opens a new one."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _post(self, endpoint: Endpoint, body: bytes, message: Message) -> Delivery:
        headers = headers_for(endpoint, message) | {"Authorization": self._signer.header(endpoint.origin)}
        session = self._open()
        try:
            async with session.post(endpoint.url, data=body, headers=headers, allow_redirects=False) as response:
                return judge(response.status, response.headers, await _beginning(response))
        except TimeoutError:
            return Failed("no answer in time")
        except (aiohttp.ClientError, OSError) as error:
            # The class alone: aiohttp's messages may hold the URL.
            return Failed(f"no answer: {type(error).__name__}")

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=MAX_IN_FLIGHT, keepalive_timeout=60, ttl_dns_cache=60),
                timeout=self._timeout,
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "pushmill", "Accept-Encoding": "identity"},
            )
        return self._session


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
        # Without it a TTL "conflicts" (https://github.com/web-push-libs/pywebpush/issues/162).
        headers["X-WNS-Cache-Policy"] = "cache"
    return headers


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """At most 4 KiB of the answer. A break in it changes nothing: the status is the answer."""
    body = b""
    try:
        while len(body) < MAX_ANSWER and (chunk := await response.content.read(MAX_ANSWER - len(body))):
            body += chunk
    except (aiohttp.ClientError, OSError):
        pass
    return body
