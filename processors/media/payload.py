"""What a `process-image` job carries, and what comes back."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from queue_lib.processor import Model
from storage.errors import InvalidKeyError
from storage.objects.base import check_key


def _storage_key(value: str) -> str:
    try:
        return check_key(value)
    except InvalidKeyError as error:
        raise ValueError(str(error)) from error


StorageKey = Annotated[str, AfterValidator(_storage_key)]


class ImagePayload(Model):
    """`process-image`: the upload under the storage key `filePath`, and the row of the app's file table it belongs to.

    `fileId` becomes a part of storage keys, so it is held to letters, digits, `_` and `-`. Ids may be numbers.
    """

    file_id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,128}$", coerce_numbers_to_str=True)
    file_path: StorageKey
    user_id: str = Field(min_length=1, coerce_numbers_to_str=True)


class ImageResult(Model):
    """Where the two pictures are; `width` and `height` are the compressed one's, in pixels."""

    compressed_url: str
    thumbnail_url: str
    width: int
    height: int
