"""What a team's own jobs have at hand, as ports: a test may hand them fakes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path
    from typing import Unpack

    from sqlalchemy.ext.asyncio import AsyncConnection

    from queue_lib.jobs.dispatching import Options


class Database(Protocol):
    """The app's database, DATABASE_URL, for any statement. An AsyncEngine of SQLAlchemy fits."""

    def begin(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A connection with a transaction: committed at the end of the block, rolled back by an exception."""

    def connect(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A connection. What is not committed at the end of the block is rolled back."""


class StoredObject(Protocol):
    """An object that was stored: its `url`, and `lasting`, which a database may keep: a URL, or a key to sign."""

    @property
    def url(self) -> str:
        """Where it can be read now."""

    @property
    def lasting(self) -> str:
        """The URL, or the key if URLs are signed and expire."""


class Objects(Protocol):
    """The object store, STORAGE_URL."""

    async def fetch(self, key: str, target: Path, max_bytes: int) -> int:
        """Download to the file `target`; returns the size in bytes. An object of more than `max_bytes` is an error."""

    async def store(self, source: Path, key: str, content_type: str, cache_control: str) -> StoredObject:
        """Upload the file `source`, replacing an object with this key."""


class HttpAnswer(Protocol):
    """What a server has answered."""

    @property
    def status(self) -> int:
        """200, say."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Their names are in any case."""

    @property
    def body(self) -> bytes:
        """As many bytes as were asked for, at most."""

    @property
    def is_whole(self) -> bool:
        """Whether `body` is all of it: it may be longer, or have broken off."""


class Http(Protocol):
    """Requests to hosts on the public internet, over one session. It follows no redirect."""

    async def request(  # noqa: PLR0913 -- what a request is made of
        self,
        method: str,
        url: str,
        *,
        seconds: float,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        loopback: bool = False,
        max_body: int = 4096,
    ) -> HttpAnswer:
        """Send a request that may take `seconds`; of the answer's body `max_body` bytes are read.

        `loopback`: this machine may be called as well.

        Raises TransientError without an answer, also if the host's name leads to an address that is not public.
        """


class Cache(Protocol):
    """Short texts that all workers share, in Redis. Every call may raise BrokerUnavailableError."""

    async def get(self, key: str) -> str | None:
        """The text of a key; None if there is none, or its time is over."""

    async def set(self, key: str, text: str, seconds: float) -> None:
        """Keep a text for so many seconds, in place of another one."""

    async def claim(self, key: str, text: str, seconds: float) -> str:
        """Keep a text for so many seconds, unless the key has one. Returns the text that it has then."""

    async def delete(self, key: str) -> None:
        """Forget a key."""


class Tools(Protocol):
    """The tools of one process, as `self.tools` of a job has them.

    `database` and `objects` raise an error that names their variable where that is not set.
    """

    @property
    def database(self) -> Database:
        """The app's database. It is opened when it is used first."""

    @property
    def objects(self) -> Objects:
        """The object store."""

    @property
    def http(self) -> Http:
        """The HTTP client."""

    @property
    def cache(self) -> Cache:
        """The cache."""

    async def enqueue(self, name: str, data: Mapping[str, Any], **options: Unpack[Options]) -> str:
        """Add a job by its name, such as `push-notification`, as `dispatch` does; returns its id.

        Raises PermanentError for a name that there is not, and for data that is no payload.
        """
