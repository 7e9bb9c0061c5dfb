"""Parse STORAGE_URL."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from storage.errors import InvalidKeyError
from storage.objects.base import check_key

MAX_PREFIX_BYTES = 120  # S3 allows 1,024 for the whole key; storage keys have up to 900


@dataclass(frozen=True, slots=True)
class S3Location:
    """A bucket, and the prefix of every key (may be empty; no slash at either end)."""

    bucket: str
    prefix: str = ""

    def full_key(self, key: str) -> str:
        """The key in the bucket for the key in the store."""
        return f"{self.prefix}/{key}" if self.prefix else key


@dataclass(frozen=True, slots=True)
class LocalLocation:
    """A directory."""

    root: Path


Location = S3Location | LocalLocation


def parse_location(text: str) -> Location:
    """Parse `s3://bucket/prefix` or `file:///dir`. Raises ValueError with a readable message."""
    parts = urlsplit(text)
    if parts.query or parts.fragment:
        msg = "has a ? or a #; it looks like s3://bucket/prefix or file:///absolute/directory"
        raise ValueError(msg)
    if parts.scheme == "s3":
        return _s3(parts)
    if parts.scheme == "file":
        return _local(parts)
    msg = "neither s3://bucket/prefix nor file:///absolute/directory"
    raise ValueError(msg)


def _s3(parts: SplitResult) -> S3Location:
    if not parts.netloc or "@" in parts.netloc or ":" in parts.netloc:
        msg = "names no bucket; it looks like s3://bucket/prefix (credentials go into AWS_ACCESS_KEY_ID and so on)"
        raise ValueError(msg)
    prefix = parts.path.strip("/")
    try:
        well_formed = not prefix or len(check_key(prefix).encode()) <= MAX_PREFIX_BYTES
    except InvalidKeyError:
        well_formed = False
    if not well_formed:
        msg = f"the prefix is no relative path of at most {MAX_PREFIX_BYTES} bytes; it looks like s3://bucket/prefix"
        raise ValueError(msg)
    return S3Location(parts.netloc, prefix)


def _local(parts: SplitResult) -> LocalLocation:
    if parts.netloc or not parts.path.startswith("/"):
        msg = "not an absolute directory; write three slashes: file:///absolute/directory"
        raise ValueError(msg)
    return LocalLocation(Path(unquote(parts.path)))
