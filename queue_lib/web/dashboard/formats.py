"""Values as people read them. What comes from elsewhere is made harmless and short here; the templates escape it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

from queue_lib.job import Wire

LONGEST = 20_000  # characters of a text
LONGEST_JSON = 50_000  # characters of a payload or a result
LONGEST_GLANCE = 160  # characters of it in a list
LONG_VALUE = 60  # characters of a text that come after the others there
MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0  # seconds
KIB = 1024
NONE = "\N{EN DASH}"
WIRES = {Wire.BULLMQ: "BullMQ", Wire.RQ: "RQ"}

# Control characters become visible; characters that change the text's direction, or are invalid, become U+FFFD.
_HARMLESS = {
    **{code: 0x2400 + code for code in range(0x20) if chr(code) not in "\t\n"},
    0x7F: 0x2421,
    **dict.fromkeys(range(0x80, 0xA0), 0xFFFD),
    **dict.fromkeys((0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)), 0xFFFD),
}


def printable(value: Any) -> Any:
    """A template's value without control characters and lone surrogates, at most 60,000 characters of it."""
    if isinstance(value, Markup):
        return value
    text = str(value)[: LONGEST_JSON + 10_000].encode(errors="replace").decode()
    return text.translate(_HARMLESS)


def short(value: object, most: int = LONGEST) -> str:
    """The beginning of its text, and how much is left out."""
    text = str(value)
    left = len(text) - most
    return text if left <= 0 else f"{text[:most]} … and {left:,} more characters"


def pretty(value: Any) -> str:
    """JSON, indented."""
    return _json(value, LONGEST_JSON, "\n… and more", indent=2)


def glance(value: Any) -> str:
    """JSON, the beginning of it, in one line. Long texts come last: a mail shows its subject before its body."""
    if isinstance(value, dict):
        value = dict(sorted(value.items(), key=lambda item: isinstance(item[1], str) and len(item[1]) > LONG_VALUE))
    return _json(value, LONGEST_GLANCE, " …")


def _json(value: Any, most: int, more: str, indent: int | None = None) -> str:
    """JSON is made only as far as it is shown: a payload may have megabytes, or be nested without end."""
    written, length = [], 0
    for chunk in json.JSONEncoder(indent=indent, ensure_ascii=False, default=str).iterencode(value):
        written.append(chunk[: most + 1])
        length += len(chunk)
        if length > most:
            return "".join(written)[:most] + more
    return "".join(written)


def number(value: float) -> str:
    """With commas."""
    return f"{value:,.0f}"


def duration(seconds: float | None) -> str:
    """Such as `340 ms`, `1.4 s`, `12 s`, `3 min`, `5 h`, `2 d`; a dash for None."""
    if seconds is None:
        return NONE
    seconds = max(seconds, 0.0)
    steps = (
        (1.0, 0.001, "ms", 0),
        (10.0, 1.0, "s", 1),
        (2 * MINUTE, 1.0, "s", 0),
        (2 * HOUR, MINUTE, "min", 0),
        (2 * DAY, HOUR, "h", 0),
    )
    for below, unit, name, digits in steps:
        if seconds < below:
            return f"{seconds / unit:.{digits}f} {name}"
    return f"{seconds / DAY:,.0f} d"


def moment(at: float | None) -> str:
    """A moment in seconds since the epoch, in UTC; a dash for None, or for what is no date."""
    return _dated(at, "%Y-%m-%d %H:%M:%S UTC")


def iso(at: float | None) -> str:
    """The same for machines, as HTML has it (`2026-11-25T02:05:06Z`)."""
    return _dated(at, "%Y-%m-%dT%H:%M:%SZ")


def clock(at: float | None) -> str:
    """The time of day of a moment, in UTC."""
    return _dated(at, "%H:%M")


def _dated(at: float | None, form: str) -> str:
    if not at:
        return NONE
    try:
        return datetime.fromtimestamp(at, UTC).strftime(form)
    except (ValueError, OverflowError, OSError):
        return NONE


def ago(at: float | None, now: float) -> str:
    """How long before `now`, or until then; both in seconds since the epoch."""
    if not at:
        return NONE
    return f"{duration(now - at)} ago" if at <= now else f"in {duration(at - now)}"


def memory(size: float) -> str:
    """Bytes as MiB or GiB."""
    mib = size / KIB / KIB
    return f"{mib:,.0f} MiB" if mib < KIB else f"{mib / KIB:,.1f} GiB"
