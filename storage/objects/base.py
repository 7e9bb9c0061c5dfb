"""The port of the object store."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from storage.errors import InvalidKeyError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence
    from pathlib import Path

MAX_KEY_BYTES = 900  # S3 allows 1,024, with the prefix
PAGE = 1000  # objects of a list's page, and of one request that deletes: S3's own limit


@dataclass(frozen=True, slots=True)
class Stored:
    """An object that was stored: its `url`, and `lasting`, the value for a database.

    `lasting` is the URL, or the key if URLs are signed and expire.
    """

    url: str
    lasting: str


@dataclass(frozen=True, slots=True)
class Listed:
    """An object as a list has it: its size in bytes, and when it was `modified`, in seconds since the epoch.

    `tag` differs once the object has been replaced.
    """

    key: str
    size: int
    modified: float
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a deletion has done: the `keys` that have no object now, and the others, each with why.

    Those that are `refused` would be refused again; those that have `failed` may go another time.
    """

    keys: frozenset[str] = frozenset()
    refused: Mapping[str, str] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)


class Clearable(Protocol):
    """Where objects, or files, are listed and deleted. Every method raises InvalidKeyError for what is no key."""

    def list(self, folder: str) -> AsyncGenerator[Sequence[Listed]]:
        """All objects whose keys begin with `folder` and a slash, in pages of at most 1,000, in any order.

        What has no valid key is left out. A directory follows no symbolic link. Raises StorageAwayError and
        StorageRefusedError, the latter also after the last page if a part could not be read.
        """

    async def delete(self, objects: Sequence[Listed]) -> Deleted:
        """Delete these objects. One that is gone already counts as deleted.

        A directory keeps an object that was replaced after it was listed: it is in neither part of the answer. Raises
        StorageAwayError; some may be deleted then.
        """


class ObjectStore(Clearable, Protocol):
    """Objects under keys such as `uploads/a.jpg`. Every method checks its key and raises InvalidKeyError."""

    async def check(self) -> None:
        """Check that the store can be used. Raises StorageUnavailableError with the reason in one line."""

    async def fetch(self, key: str, target: Path, max_bytes: int) -> int:
        """Download to the file `target`. Returns the size in bytes.

        Raises ObjectNotFoundError, and ObjectTooLargeError before more than `max_bytes` are written. A download that
        fails leaves no `target` behind.
        """

    async def store(
        self, source: Path, key: str, content_type: str, cache_control: str, disposition: str | None = None
    ) -> Stored:
        """Upload the file `source`, replacing an object with this key. Returns its URLs.

        `disposition` is the value of Content-Disposition (RFC 6266) with which browsers get it.
        """

    async def signed_link(self, key: str, seconds: int) -> str | None:
        """A URL under which anybody can read the object for so many seconds, or None if the store signs none."""

    async def close(self) -> None:
        """Release connections."""


def check_key(key: str) -> str:
    """Return the key if it is a relative path inside the store, else raise InvalidKeyError.

    Refused: the empty key, a leading `/`, a URL, `.`, `..` and empty segments, backslashes, control characters,
    and more than 900 bytes of UTF-8.
    """
    segments = key.split("/")
    if (
        not key.isprintable()
        or "\\" in key
        or "://" in key
        or any(segment in {"", ".", ".."} for segment in segments)
        or len(key.encode(errors="replace")) > MAX_KEY_BYTES
    ):
        msg = "not a storage key: a relative path such as uploads/a.jpg, without . and .., of 900 bytes at most"
        raise InvalidKeyError(msg)
    return key


def is_key(key: str) -> bool:
    """Whether `check_key` takes it."""
    try:
        check_key(key)
    except InvalidKeyError:
        return False
    return True
