"""The image payload: keys and ids are checked before anything runs."""

from __future__ import annotations

import re
from contextlib import nullcontext
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from processors.media.payload import AvatarPayload, FileJob, ImagePayload, VideoPayload
from processors.media.results import FileResult, ImageFileResult, ImageResult, TextResult
from queue_lib.processor import faults

GOOD = {"fileId": "cm3x_-1", "filePath": "uploads/a b.jpg", "userId": "user-1"}


def test_a_correct_payload_is_read() -> None:
    """Ids and the storage key are read, numbers as strings, and unknown fields are ignored."""
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
    """A key that leaves the store, or such an id, is a validation error of that field."""
    with pytest.raises(ValidationError) as caught:
        ImagePayload.model_validate(GOOD | {field: value})

    assert [(field,)] == [fault["loc"] for fault in caught.value.errors()]


def test_the_result_is_camel_case() -> None:
    """It has the names of the app's columns."""
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
    """Options are checked like the other fields."""
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
    """`operation` says what to do with a file, and each operation has its own options."""
    with pytest.raises(ValidationError) as caught:
        FileJob.model_validate(GOOD | data)

    assert [loc] == [fault["loc"] for fault in caught.value.errors()]


@pytest.mark.parametrize(
    ("model", "options", "reason"),
    [
        (ImagePayload, {"qualty": 50}, "options: Value error, no such option: qualty; there are formats, quality, "),
        (ImagePayload, {"hashedkeys": True}, "options: Value error, no such option: hashedkeys; there are "),
        (VideoPayload, {"quality": 50}, "options: Value error, no such option: quality; there are hashedKeys"),
        (AvatarPayload, {"size": [64]}, "options: Value error, no such option: size; there are sizes, "),
        (FileJob, {"height": 64, "heigth": 64}, "resize.options: Value error, no such option: heigth; there are width"),
    ],
)
def test_an_option_that_is_misspelt_is_refused(model: type[BaseModel], options: dict[str, Any], reason: str) -> None:
    """The reason names it, and the known ones. Fields beside the options are ignored."""
    data = GOOD | {"operation": "resize", "later": True, "options": options}

    with pytest.raises(ValidationError) as caught:
        model.model_validate(data)

    assert faults(caught.value).startswith(reason)


def test_options_may_have_the_names_of_python() -> None:
    """A producer in Python may write `hashed_keys`."""
    payload = ImagePayload.model_validate(GOOD | {"options": {"hashed_keys": True}})

    assert payload.options.hashed_keys


@pytest.mark.parametrize("model", [ImagePayload, VideoPayload, AvatarPayload])
def test_the_schema_takes_ids_as_apps_have_them(model: type[BaseModel]) -> None:
    """The JSON Schema, for OpenAPI and types, allows a string or an integer; options are closed."""
    schema = model.model_json_schema()

    ids = [schema["properties"][name] for name in ("fileId", "userId") if name in schema["properties"]]
    assert ids
    assert all(["string", "integer"] == [kind["type"] for kind in each["anyOf"]] for each in ids)
    assert not any(each.get("additionalProperties", True) for each in schema["$defs"].values())
    assert schema.get("additionalProperties", True)


@pytest.mark.parametrize(
    ("key", "is_valid"),
    [
        ("a", True),
        ("uploads/a b.jpg", True),
        ("uploads/..a", True),
        ("uploads/...", True),
        ("uploads/ü", True),
        ("", False),
        ("/etc/passwd", False),
        ("a//b", False),
        ("a/", False),
        ("./a", False),
        ("uploads/../../secret", False),
        ("a/..", False),
        ("a\\b", False),
        ("a\tb", False),
        ("https://example.com/a.jpg", False),
        ("a" * 901, False),
    ],
)
def test_the_schema_takes_the_keys_that_are_accepted(key: str, *, is_valid: bool) -> None:
    """Its pattern of a storage key agrees with the check of payloads."""
    schema = ImagePayload.model_json_schema()["properties"]["filePath"]

    assert is_valid is (re.search(schema["pattern"], key) is not None and len(key) <= schema["maxLength"])
    with nullcontext() if is_valid else pytest.raises(ValidationError):
        ImagePayload.model_validate(GOOD | {"filePath": key})


def test_results_of_files_differ_by_operation() -> None:
    """One model describes what `process-file` returns, with the JSON of each operation's own."""
    made = {"url": "u", "format": "webp", "width": 1, "height": 2, "bytes": 3, "operation": "resize", "animation": None}
    text = {
        "operation": "extract_text",
        "textUrl": "t",
        "kind": "pdf",
        "characters": 5,
        "pages": 1,
        "pagesWithoutText": 0,
        "truncated": False,
        "bytes": 5,
    }

    for data, kind in ((made, ImageFileResult), (text, TextResult)):
        result = FileResult.model_validate(data)
        assert isinstance(result.root, kind)
        assert data == result.model_dump(by_alias=True) == result.root.model_dump(by_alias=True)
