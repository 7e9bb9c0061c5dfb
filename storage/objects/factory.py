"""Create the object store that the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from storage.objects.local import LocalStore
from storage.objects.location import LocalLocation, S3Location, parse_location

if TYPE_CHECKING:
    from storage.objects.base import ObjectStore
    from storage.settings import ObjectsSettings


def open_store(settings: ObjectsSettings) -> ObjectStore:
    """The store of STORAGE_URL. It does not connect before `check`."""
    location = parse_location(settings.storage_url)
    match location:
        case LocalLocation():
            return LocalStore(location, settings.storage_public_base_url)
        case S3Location():
            from storage.objects.s3 import S3Store  # noqa: PLC0415 -- boto3 takes 25 MB, which a directory does not need

            return S3Store.connect(location, settings)
        case _:
            assert_never(location)
