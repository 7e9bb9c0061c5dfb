"""The image payload: keys and ids are checked before anything runs."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from processors.media.payload import ImagePayload, ImageResult

GOOD = {"fileId": "cm3x_-1", "filePath": "uploads/a b.jpg", "userId": "user-1"}


def test_a_correct_payload_is_read() -> None:
    """Ids and the storage key come through, numbers as strings, and unknown fields are ignored."""
    payload = ImagePayload.model_validate(GOOD | {"fileId": 7, "userId": 8, "later": True})

    assert (payload.file_id, payload.file_path, payload.user_id) == ("7", "uploads/a b.jpg", "8")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("filePath", ""),
        ("filePath", "/etc/passwd"),
        ("filePath", "../secret"),
        ("filePath", "uploads/../../secret"),
        ("filePath", "https://example.com/a.jpg"),
        ("filePath", None),
        ("fileId", ""),
        ("fileId", "a/b"),
        ("fileId", ".."),
        ("fileId", "a\n"),
        ("fileId", "a" * 129),
        ("fileId", 1.5),
        ("fileId", True),
        ("userId", ""),
    ],
)
def test_a_fault_names_its_field(field: str, value: Any) -> None:
    """A key that leaves the store, or an id that could, is a validation error at that field."""
    with pytest.raises(ValidationError) as caught:
        ImagePayload.model_validate(GOOD | {field: value})

    assert [(field,)] == [fault["loc"] for fault in caught.value.errors()]


def test_the_result_is_camel_case() -> None:
    """The result carries the names of the app's columns."""
    result = ImageResult(compressed_url="c", thumbnail_url="t", width=1, height=2)

    assert result.model_dump(by_alias=True) == {"compressedUrl": "c", "thumbnailUrl": "t", "width": 1, "height": 2}
