"""Turn any value into JSON that every reader can parse. It never fails: settling jobs and showing pages depend on it.

Three functions: `to_json` for a processor's result, `readable` for values that are shown, and `kept` for values that
may be enqueued again. A value that can't be kept becomes a text, null, or a note that says why.
"""

from __future__ import annotations

import json
import math
from typing import Any

import pydantic_core

MAX_NUMBER = 2**53  # the greatest whole number that JavaScript can count to
MAX_RESULT = 64 * 1024  # bytes
MAX_LETTER = 8 * 1024 * 1024  # bytes
SHOWN = 100  # levels of lists and objects that are shown: other readers have limits, pydantic 255
KEPT = 500  # levels that are kept: Python 3.11's reader takes 1,000, minus those of its caller
MAX_BITS = 13_000  # of an integer that is written: Python itself refuses to write 4,300 digits
CIRCLE, DEEPER = "...", f"... nested deeper than {SHOWN} levels"
UNREAD, RAW = "unserializable", "raw"  # the keys of a note; the second one if there is a text to show
MAX_RAW = 2000  # characters
_WRITE = json.JSONEncoder(ensure_ascii=False).encode  # made once: a list has thousands of values


def to_json(value: Any, max_bytes: int = MAX_RESULT) -> Any:
    """Turn a Model, or any value, into JSON data: camelCase keys, no NaN, at most `max_bytes` (64 KiB by default).

    A value that is not JSON becomes a text or a note. Raises nothing.
    """
    if value is None or isinstance(value, bool):
        return value
    try:  # the fast path for nearly all results
        text = pydantic_core.to_json(value, by_alias=True, serialize_unknown=True, inf_nan_mode="null")
        made = json.loads(text)
    except (ValueError, TypeError, RecursionError, pydantic_core.PydanticSerializationError):
        made = _plain(value, frozenset())
        text = json.dumps(made).encode()
    return made if len(text) <= max_bytes else note(f"too large: {len(text)} bytes")


def readable(value: Any, most: int | None = None) -> Any:
    """Parsed JSON, for people and their tools: lone surrogates become U+FFFD, NaN and Infinity become null.

    Lists and objects are shown 100 levels deep. A value of more than `most` characters becomes a note.
    """
    made = _plain(value, frozenset()) if (text := _dumped(value)) is None or _is_odd(value, text) else value
    length = len(_dumped(made) or "") if text is None else len(text)
    return note(f"too large for a list: {length} characters") if most is not None and length > most else made


def kept(value: Any, max_bytes: int = MAX_LETTER) -> Any:
    """Parsed JSON that can be enqueued again: unchanged, except that NaN and Infinity become null for Node.

    A value of more than `max_bytes`, or of more than 500 levels, becomes a note.
    """
    text = _dumped(value)
    if text is None or (_brackets(text) > KEPT and is_deeper(value, KEPT)):
        return note(f"nested deeper than {KEPT} levels")
    if len(text) > max_bytes or len(text.encode(errors="surrogatepass")) > max_bytes:
        return note(f"too large: more than {max_bytes} bytes")
    return json.loads(text, parse_constant=lambda _: None) if _has_constants(text) else value


def note(text: str) -> dict[str, str]:
    """A note in place of a value that is left out, with the reason."""
    return {UNREAD: text[:200]}


def unread(text: str, raw: str | bytes) -> dict[str, str]:
    """A note in place of a value that can't become JSON, with the reason and up to 2,000 characters of it."""
    shown = _sound(raw.decode(errors="replace") if isinstance(raw, bytes) else raw)
    return note(text) | {RAW: shown if len(shown) <= MAX_RAW else f"{shown[:MAX_RAW]}..."}


def is_note(value: Any) -> bool:
    """Whether the value is a note."""
    return isinstance(value, dict) and UNREAD in value and set(value) <= {UNREAD, RAW}


def is_deeper(value: Any, most: int) -> bool:
    """Whether there are more than `most` levels of lists and objects. No recursion, whose limit depends on Python."""
    level = [value]
    for _ in range(most):
        level = [inner for outer in level if isinstance(outer, dict | list) for inner in _inner(outer)]
    return any(isinstance(inner, dict | list) for inner in level)


def _dumped(value: Any) -> str | None:
    """The value as JSON text; None if it is nested too deeply or is not JSON."""
    try:
        return _WRITE(value)
    except (ValueError, TypeError, RecursionError):
        return None


def _is_odd(value: Any, text: str) -> bool:
    """Whether a reader may fail on the value, of which this is the text. True also for texts that look so."""
    is_deep = _brackets(text) > SHOWN and is_deeper(value, SHOWN)
    return is_deep or _has_constants(text) or _sound(text) != text


def _brackets(text: str) -> int:
    return text.count("[") + text.count("{")


def _has_constants(text: str) -> bool:
    return "NaN" in text or "Infinity" in text


def _inner(value: dict[str, Any] | list[Any]) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value


def _plain(value: Any, around: frozenset[int]) -> Any:
    """Convert a value and its parts. `around` has the ids of the lists and objects that contain it."""
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
    """A Model, a date or another type, as pydantic converts it."""
    try:
        made = pydantic_core.to_jsonable_python(value, by_alias=True, serialize_unknown=True)
    except (ValueError, TypeError, RecursionError, pydantic_core.PydanticSerializationError) as error:
        return note(f"{type(value).__name__} is not JSON: {_sound(str(error))}")
    is_plain = made is None or isinstance(made, bool | str | int | float | dict | list)
    return _plain(made, around) if is_plain else note(f"{type(value).__name__} is not JSON")


def _sound(text: str) -> str:
    """The text without lone surrogates, which UTF-8 can't have."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
