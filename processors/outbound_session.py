"""The aiohttp session behind outbound.py, and the limits on what a server may send."""

from __future__ import annotations

import io
from asyncio import sslproto
from functools import lru_cache
from typing import TYPE_CHECKING

import aiohttp

from processors.outbound import Answer, NoAnswerError
from processors.public_hosts import AddressRefusedError, socket_factory

if TYPE_CHECKING:
    from collections.abc import Mapping

    from yarl import URL

# Bytes of a line and lines of an answer's head. A head beyond them is an answer that is lost, and its request is sent
# again: aiohttp's own limits, 8,190 and 128, are below what proxies add. Node takes 16 KiB in all.
MAX_LINE, MAX_LINES = 32_768, 500
# Bytes that a connection over TLS reads into: one record. asyncio sets 256 KiB aside for each, 75 MiB for 300 of them.
TLS_BUFFER = 16_384
LARGE = 2**20 - 1  # bytes of a body
KEEP = 60  # seconds for which an idle connection and an answer of the DNS are kept


class OutboundSession:
    """Connections to public hosts and, with `loopback`, to this machine; with `trusted` to any host."""

    def __init__(self, most: int, *, loopback: bool, trusted: bool = False) -> None:
        """Keep at most `most` connections in use; a request beyond them waits for one."""
        sslproto.SSLProtocol.max_size = TLS_BUFFER
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=most,
                keepalive_timeout=KEEP,
                ttl_dns_cache=KEEP,
                socket_factory=None if trusted else socket_factory(loopback=loopback),
            ),
            trust_env=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,  # an encoding that aiohttp lacks would hide the status
            max_line_size=MAX_LINE,
            max_field_size=MAX_LINE,
            max_headers=MAX_LINES,
            headers={"User-Agent": "pushmill", "Accept-Encoding": "identity"},
        )

    async def request(
        self,
        method: str,
        url: URL | str,
        seconds: float,
        headers: Mapping[str, str] | None,
        body: bytes | None,
        max_body: int,
    ) -> Answer:
        """See HttpClient."""
        try:
            async with self._session.request(
                method, url, data=_sent(body), headers=headers, timeout=_limits(seconds), allow_redirects=False
            ) as response:
                return Answer(response.status, response.headers, *await _beginning(response, max_body))
        except TimeoutError:
            reason = "no answer in time"
        except aiohttp.ClientConnectorError as error:
            is_refused = isinstance(error.os_error, AddressRefusedError)
            reason = str(error.os_error) if is_refused else f"no connection: {type(error).__name__}"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # The class alone: aiohttp's messages may hold the URL.
            reason = f"no answer: {type(error).__name__}"
        raise NoAnswerError(reason)

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()


def _sent(body: bytes | None) -> bytes | io.BytesIO | None:
    """The body as aiohttp is to send it: a large one in parts, between which other jobs go on."""
    return io.BytesIO(body) if body is not None and len(body) > LARGE else body


@lru_cache(maxsize=100)
def _limits(seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=seconds, connect=seconds / 2)


async def _beginning(response: aiohttp.ClientResponse, most: int) -> tuple[bytes, bool]:
    """At most so many bytes of the body, and whether that is all of it.

    A break in it, or its never ending, is no error: the status is an answer.
    """
    body = bytearray()
    try:
        while chunk := await response.content.read(most + 1 - len(body)):
            body += chunk
            if len(body) > most:
                return bytes(body[:most]), False
    except (aiohttp.ClientError, OSError, TimeoutError):
        return bytes(body[:most]), False
    return bytes(body), True
