"""HTTP requests to hosts on the public internet, and to those that settings name, for all features of a process.

aiohttp is imported at the first request: it takes memory, and many workers send no request.
"""

from __future__ import annotations

import resource
from dataclasses import dataclass
from typing import TYPE_CHECKING

from queue_lib.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from yarl import URL

    from processors.outbound_session import OutboundSession

MAX_CONNECTIONS = 1000
MAX_BODY = 4096  # bytes of an answer, unless its caller wants more


class NoAnswerError(TransientError):
    """No connection, no answer in time, or one that is not HTTP. The message holds no URL, which may be a secret."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server has answered: the names in `headers` are in any case.

    `is_whole`: `body` is all of it. It is not where the body is longer than was asked for, or broke off.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_whole: bool = True


def most_connections() -> int:
    """Connections that this process may have open: half of its file descriptors are left for all else."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_CONNECTIONS if descriptors == resource.RLIM_INFINITY else min(MAX_CONNECTIONS, descriptors // 2)


class HttpClient:
    """One HTTP session for all features. It follows no redirect, keeps no cookie and uses no proxy."""

    def __init__(self) -> None:
        self._sessions: dict[tuple[bool, bool], OutboundSession] = {}

    async def request(  # noqa: PLR0913 -- what a request is made of
        self,
        method: str,
        url: URL | str,
        *,
        seconds: float,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        loopback: bool = False,
        trusted: bool = False,
        max_body: int = MAX_BODY,
    ) -> Answer:
        """Send a request, and return the answer with at most `max_body` bytes of its body.

        It may take `seconds`, half of them to connect. `loopback`: this machine may be called as well. `trusted`: any
        address may be called, because a setting names the host. Raises NoAnswerError, also if the host's name leads to
        an address that must not be called.
        """
        session = self._sessions.get((loopback, trusted)) or self._open(loopback=loopback, trusted=trusted)
        return await session.request(method, url, seconds, headers, body, max_body)

    async def close(self) -> None:
        """Close the connections. A later request opens new ones."""
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()

    def _open(self, *, loopback: bool, trusted: bool) -> OutboundSession:
        from processors.outbound_session import OutboundSession  # noqa: PLC0415 -- it imports aiohttp

        session = OutboundSession(most_connections(), loopback=loopback, trusted=trusted)
        self._sessions[loopback, trusted] = session
        return session
