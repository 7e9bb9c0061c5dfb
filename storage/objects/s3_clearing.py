"""What S3's lists and deletions say. Pure, but for a header."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

from storage.errors import StorageAwayError
from storage.objects.base import Deleted, Listed, is_key
from storage.objects.s3_faults import CODES, MISSING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import ObjectTypeDef

    from storage.objects.location import S3Location

# Inside an answer of 200, of each object: it has no status of its own.
BUSY = frozenset({"ServiceUnavailable", "SlowDown", "503"}) | CODES  # the service is at fault
FAILED = frozenset({"InternalError"})  # the service, too, but perhaps with this object alone, and then each time


def listed(found: Iterable[ObjectTypeDef], location: S3Location, folder: str) -> Iterator[Listed]:
    """The objects of a page that are below the folder and have a valid key: others can't be named by anybody."""
    before = len(location.full_key(""))
    for each in found:
        key = each["Key"][before:]
        if each["Key"] == location.full_key(key) and key.startswith(f"{folder}/") and is_key(key):
            yield Listed(key, each["Size"], each["LastModified"].timestamp(), each.get("ETag", ""))


def deleted(keys: Collection[str], errors: Iterable[Mapping[str, Any]], location: S3Location) -> Deleted:
    """What has become of the keys: the answer is 200, and has only the errors. Raises StorageAwayError."""
    names = {location.full_key(key): key for key in keys}
    refused: dict[str, str] = {}
    failed: dict[str, str] = {}
    for error in errors:
        code = str(error.get("Code", ""))
        if code in BUSY:
            msg = f"the object store refuses DeleteObjects ({code})"
            raise StorageAwayError(msg)
        if code not in MISSING:
            (failed if code in FAILED else refused)[names.get(str(error.get("Key")), "")] = code
    left = refused.keys() | failed.keys()
    return Deleted(frozenset() if "" in left else frozenset(names.values()) - left, refused, failed)


def send_md5(client: S3Client) -> None:
    """Send Content-MD5 with DeleteObjects, too.

    Since 1.36 boto3 sends CRC32 alone, which older MinIO and others refuse:
    https://github.com/s3fs-fuse/s3fs-fuse/issues/2639
    """
    client.meta.events.register("before-sign.s3.DeleteObjects", _add_md5)


def _add_md5(request: Any, **_: object) -> None:
    body = request.data if isinstance(request.data, bytes) else str(request.data).encode()
    digest = hashlib.md5(body, usedforsecurity=False).digest()
    request.headers["Content-MD5"] = base64.b64encode(digest).decode()
