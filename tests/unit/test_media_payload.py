"""The image payload: keys and ids are checked before anything runs."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from processors.media.payload import FileJob, ImagePayload, ImageResult

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
    result = ImageResult(
        compressed_url="c",
        thumbnail_url="t",
        width=1,
        height=2,
        bytes=3,
        format="jpeg",
        blurhash="L",
        dominant_color="#000000",
        animation=None,
        variants=(),
    )

    assert result.model_dump(by_alias=True) == {
        "compressedUrl": "c",
        "thumbnailUrl": "t",
        "width": 1,
        "height": 2,
        "bytes": 3,
        "format": "jpeg",
        "blurhash": "L",
        "dominantColor": "#000000",
        "animation": None,
        "variants": (),
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("formats", []),
        ("formats", ["bmp"]),
        ("quality", 0),
        ("quality", 100),
        ("widths", [15]),
        ("widths", [5000]),
        ("widths", [100] * 9),
        ("crop", "left"),
        ("background", "white"),
        ("background", "#fff; rm"),
        ("alpha", "yes"),
        ("animation", "drop"),
        ("hashedKeys", "perhaps"),
    ],
)
def test_a_fault_names_its_option(field: str, value: Any) -> None:
    """Options are checked as the rest is."""
    with pytest.raises(ValidationError) as caught:
        ImagePayload.model_validate(GOOD | {"options": {field: value}})

    assert {("options", field)} == {fault["loc"][:2] for fault in caught.value.errors()}


@pytest.mark.parametrize(
    ("data", "loc"),
    [
        ({}, ()),
        ({"operation": "rotate"}, ()),
        ({"operation": "resize", "options": {"width": 0}}, ("resize", "options", "width")),
        ({"operation": "convert"}, ("convert", "options")),
        ({"operation": "convert", "options": {"format": "gif"}}, ("convert", "options", "format")),
        ({"operation": "extract_text", "options": {"maxPages": 0}}, ("extract_text", "options", "maxPages")),
        ({"operation": "compress", "filePath": "../a"}, ("compress", "filePath")),
    ],
)
def test_a_fault_names_its_operation(data: dict[str, Any], loc: tuple[str, ...]) -> None:
    """What a file is to go through is told by `operation`, and each has options of its own."""
    with pytest.raises(ValidationError) as caught:
        FileJob.model_validate(GOOD | data)

    assert [loc] == [fault["loc"] for fault in caught.value.errors()]
