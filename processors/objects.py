"""Fetch and publish files in the object store, for any feature. Storage's errors become the job's."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING

from processors.outage import outages_put_off
from queue_lib.errors import PermanentError
from storage.errors import InvalidKeyError, ObjectNotFoundError, ObjectTooLargeError

if TYPE_CHECKING:
    from pathlib import Path

    from storage.objects.base import ObjectStore, Stored

MEBIBYTE = 1024**2
HASH_DIGITS = 16
# For keys without a hash: a job that runs again writes other bytes under the same URL. After a day browsers ask whether
# they have changed, and mostly get a 304.
FOR_A_DAY = "public, max-age=86400"
FOR_EVER = "public, max-age=31536000, immutable"


class TooLargeError(PermanentError):
    """The object has more bytes than may be fetched."""


async def fetch(objects: ObjectStore, key: str, target: Path, max_bytes: int, field: str = "filePath") -> int:
    """Download the object `key`, which the payload names in `field`, to the file `target`. Returns its size.

    Raises PermanentError if there is no such object or if the key is not valid; TooLargeError if it has more than
    `max_bytes`; SnoozeError while the store is away.
    """
    try:
        with outages_put_off():
            return await objects.fetch(key, target, max_bytes)
    except ObjectNotFoundError as error:
        msg = f"nothing is stored under its {field}"
        raise PermanentError(msg) from error
    except ObjectTooLargeError as error:
        msg = f"the upload under its {field} is larger than {max_bytes // MEBIBYTE} MiB"
        raise TooLargeError(msg) from error
    except InvalidKeyError as error:
        raise PermanentError(str(error)) from error


async def publish(
    objects: ObjectStore, file: Path, base: str, content_type: str, *, source: str | None = None, hashed: bool = False
) -> Stored:
    """Store `file` under the key `base` plus the file's extension. Returns its URLs.

    With `hashed` a digest of the content is part of the key, so that caches may keep the object for ever. `source` is
    the key of the object that the file was made from.

    Raises PermanentError if the result would replace `source` (the job could not run a second time) or if the key is
    not valid; SnoozeError while the store is away.
    """
    digest = f"-{await asyncio.to_thread(_digest, file)}" if hashed else ""
    key = f"{base}{digest}{file.suffix}"
    if key == source:
        msg = "the result would replace the upload; store uploads under other keys, as in uploads/"
        raise PermanentError(msg)
    try:
        with outages_put_off():
            return await objects.store(file, key, content_type, FOR_EVER if hashed else FOR_A_DAY)
    except InvalidKeyError as error:
        raise PermanentError(str(error)) from error


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:HASH_DIGITS]
