"""Any value as JSON that every reader takes. It must not fail: jobs are settled with it, and pages are made of it.

Three ways in: `to_json` for what a processor returns, `readable` for what is shown, and `kept` for what is to be
enqueued again. What can't be had as it is becomes a text, null, or a note that says why.
"""

from __future__ import annotations

import json
import math
from typing import Any

import pydantic_core

MAX_NUMBER = 2**53  # what a number of JavaScript can count to
MAX_RESULT = 64 * 1024  # bytes
MAX_LETTER = 8 * 1024 * 1024  # bytes
SHOWN = 100  # levels of lists and objects that are shown: readers have limits of their own, pydantic 255
KEPT = 500  # levels that are kept: Python's own reader takes 1,000 less its caller's
MAX_BITS = 13_000  # of an integer that is written: Python itself refuses to write one of 4,300 digits
CIRCLE, DEEPER = "...", f"... nested deeper than {SHOWN} levels"
UNREAD, RAW = "unserializable", "raw"  # the keys of a note; the second one where there is a text to show
MAX_RAW = 2000  # characters


def to_json(value: Any, max_bytes: int = MAX_RESULT) -> Any:
    """Turn a Model, or anything, into JSON data: camelCase keys, no NaN, at most `max_bytes` (64 KiB by default).

    A value that can't be shown as it is becomes a text or a note; nothing is raised.
    """
    if value is None or isinstance(value, bool):
        return value
    try:  # for nearly all results, and quickly
        text = pydantic_core.to_json(value, by_alias=True, serialize_unknown=True, inf_nan_mode="null")
        made = json.loads(text)
    except (ValueError, TypeError, RecursionError, pydantic_core.PydanticSerializationError):
        made = _plain(value, frozenset())
        text = json.dumps(made).encode()
    return made if len(text) <= max_bytes else note(f"too large: {len(text)} bytes")


def readable(value: Any, most: int | None = None) -> Any:
    """JSON as it was parsed, for people and their tools: lone surrogates become U+FFFD, and NaN and Infinity null.

    Lists and objects are shown 100 levels deep. What has more than `most` characters is a note.
    """
    made = _plain(value, frozenset()) if (text := _dumped(value)) is None or _is_odd(text) else value
    length = len(_dumped(made) or "") if text is None else len(text)
    return note(f"too large for a list: {length} characters") if most is not None and length > most else made


def kept(value: Any, max_bytes: int = MAX_LETTER) -> Any:
    """JSON as it was parsed, fit to be enqueued again: as it is, but for NaN and Infinity, which become null.

    Node knows neither. What has more than `max_bytes`, or more than 500 levels, is a note.
    """
    text = _dumped(value)
    if text is None or (_brackets(text) > KEPT and _is_deeper(value, KEPT)):
        return note(f"nested deeper than {KEPT} levels")
    if len(text) > max_bytes or len(text.encode(errors="surrogatepass")) > max_bytes:
        return note(f"too large: more than {max_bytes} bytes")
    return json.loads(text, parse_constant=lambda _: None) if _has_constants(text) else value


def note(text: str) -> dict[str, str]:
    """Stands for what is not there, and says why."""
    return {UNREAD: text[:200]}


def unread(text: str, raw: str | bytes) -> dict[str, str]:
    """Stands for what no JSON can be made of, says why, and shows how it begins: up to 2,000 characters."""
    shown = _sound(raw.decode(errors="replace") if isinstance(raw, bytes) else raw)
    return note(text) | {RAW: shown if len(shown) <= MAX_RAW else f"{shown[:MAX_RAW]}..."}


def is_note(value: Any) -> bool:
    """Whether this stands for what is not there."""
    return isinstance(value, dict) and UNREAD in value and set(value) <= {UNREAD, RAW}


def _dumped(value: Any) -> str | None:
    """None for what is nested too deeply to be written, or is no JSON."""
    try:
        return json.dumps(value, ensure_ascii=False)
    except (ValueError, TypeError, RecursionError):
        return None


def _is_odd(text: str) -> bool:
    """Whether some reader could stumble over it. A text with many brackets may be: it has to be looked at."""
    return _brackets(text) > SHOWN or _has_constants(text) or _sound(text) != text


def _brackets(text: str) -> int:
    return text.count("[") + text.count("{")


def _has_constants(text: str) -> bool:
    return "NaN" in text or "Infinity" in text


def _is_deeper(value: Any, most: int) -> bool:
    """Whether there are more than `most` levels of lists and objects; level by level, for recursion has its limit."""
    level = [value]
    for _ in range(most):
        level = [inner for outer in level if isinstance(outer, dict | list) for inner in _inner(outer)]
    return any(isinstance(inner, dict | list) for inner in level)


def _inner(value: dict[str, Any] | list[Any]) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value


def _plain(value: Any, around: frozenset[int]) -> Any:
    """The value part by part; `around` are the ids of the lists and objects that it is in."""
    match value:
        case None | bool():
            return value
        case str() | bytes() | bytearray():
            return _sound(value if isinstance(value, str) else value.decode(errors="replace"))
        case int() | float():
            return _number(value)
        case dict() | list() | tuple() | set() | frozenset():
            return _parts(value, around)
        case _:
            return _foreign(value, around)


def _number(value: float) -> Any:
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    bits = value.bit_length()
    return int(value) if bits <= MAX_BITS else f"an integer of {bits} bits"


def _parts(value: Any, around: frozenset[int]) -> Any:
    if id(value) in around:
        return CIRCLE
    if len(around) >= SHOWN:
        return DEEPER
    inside = around | {id(value)}
    if isinstance(value, dict):
        return {_key(key): _plain(inner, inside) for key, inner in value.items()}
    return [_plain(inner, inside) for inner in value]


def _key(key: Any) -> str:
    plain = _plain(key, frozenset())
    return plain if isinstance(plain, str) else json.dumps(plain)


def _foreign(value: Any, around: frozenset[int]) -> Any:
    """A Model, a date, or whatever else: what pydantic makes of it, part by part."""
    try:
        made = pydantic_core.to_jsonable_python(value, by_alias=True, serialize_unknown=True)
    except (ValueError, TypeError, RecursionError, pydantic_core.PydanticSerializationError) as error:
        return note(f"{type(value).__name__} is not JSON: {_sound(str(error))}")
    is_plain = made is None or isinstance(made, bool | str | int | float | dict | list)
    return _plain(made, around) if is_plain else note(f"{type(value).__name__} is not JSON")


def _sound(text: str) -> str:
    """Without the lone surrogates that JSON may carry and UTF-8 may not."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
