"""A storage key in a payload: it names an object of the store, and nothing else."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, WithJsonSchema

from storage.errors import InvalidKeyError
from storage.objects.base import MAX_KEY_BYTES, check_key


def _storage_key(value: str) -> str:
    try:
        return check_key(value)
    except InvalidKeyError as error:
        raise ValueError(str(error)) from error


# As far as a pattern can say what `check_key` takes: segments that are neither empty nor `.` nor `..`.
SEGMENT = r"(?!\.{1,2}(?:/|$))[^/\\\u0000-\u001f\u007f]+"
KEY_SCHEMA = {
    "type": "string",
    "maxLength": MAX_KEY_BYTES,
    "pattern": f"^{SEGMENT}(?:/{SEGMENT})*$",
    "examples": ["uploads/a.jpg"],
}
StorageKey = Annotated[str, AfterValidator(_storage_key), WithJsonSchema(KEY_SCHEMA)]
