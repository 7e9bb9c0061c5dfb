"""Any value as JSON that every reader takes. It must not fail: a job is settled with it, and must not run again."""

from __future__ import annotations

import json
from typing import Any

import pydantic_core

MAX_RESULT = 64 * 1024
MAX_LETTER = 8 * 1024 * 1024


def to_json(value: Any, max_bytes: int = MAX_RESULT) -> Any:
    """Turn a Model, or anything, into JSON data: camelCase keys, no NaN, at most `max_bytes` (64 KiB by default).

    A value that can't be shown as it is becomes a text or a note; nothing is raised.
    """
    try:
        if value is None or isinstance(value, bool):
            return value
        text = pydantic_core.to_json(value, by_alias=True, serialize_unknown=True, inf_nan_mode="null")
        return json.loads(text) if len(text) <= max_bytes else _note(f"too large: {len(text)} bytes")
    except (ValueError, TypeError, RecursionError, pydantic_core.PydanticSerializationError) as error:
        return _note(f"{type(value).__name__} is not JSON: {error}")


def readable(value: Any, most: int | None = None) -> Any:
    """JSON as it was parsed, without the lone surrogates that JSON may carry and UTF-8 may not.

    What has more than `most` characters is a note.
    """
    try:
        text = json.dumps(value, ensure_ascii=False)
        if most is not None and len(text) > most:
            return _note(f"too large for a list: {len(text)} characters")
        sound = text.encode(errors="replace").decode()
        return value if sound == text else json.loads(sound)
    except (ValueError, TypeError, RecursionError) as error:
        return _note(f"not shown: {type(error).__name__}")


def _note(text: str) -> dict[str, str]:
    return {"unserializable": text[:200]}
