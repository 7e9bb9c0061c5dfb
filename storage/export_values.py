"""SQLite's values in an export, in the form of their columns' kinds. Pure. A value of another type stays as it is."""

from __future__ import annotations

import base64
import json
import math
from typing import TYPE_CHECKING, Any

from storage.search_cells import MAX_WHOLE, dumped, moment

if TYPE_CHECKING:
    from storage.ports import ExportKind

# What a declared type begins with; the first that fits.
_KINDS: dict[str, ExportKind] = {
    "INT": "integer",
    "BIGINT": "integer",
    "REAL": "number",
    "DOUBLE": "number",
    "FLOAT": "number",
    "DECIMAL": "decimal",
    "NUMERIC": "decimal",
    "BOOL": "boolean",
    "DATETIME": "timestamp",
    "TIMESTAMP": "timestamp",
    "DATE": "date",
    "JSON": "json",
}


def kind_of(declared: str) -> ExportKind:
    """The kind of a column, by its declared type."""
    return next((kind for begin, kind in _KINDS.items() if declared.upper().startswith(begin)), "text")


def as_text(value: Any, kind: ExportKind) -> str | None:
    """The cell as text; None for NULL."""
    match value:
        case None:
            return None
        case bytes():
            return base64.b64encode(value).decode()
        case int() if kind == "boolean" and value in {0, 1}:
            return "true" if value else "false"
        case int() | str() if kind in {"timestamp", "timestamptz"}:
            return _written_moment(value)
        case float():
            return _written_float(value)
    return str(value)


def as_json(value: Any, kind: ExportKind) -> Any:
    """The cell as JSON data. A number that JavaScript would round is a text."""
    match value:
        case int() if kind not in {"boolean", "timestamp", "timestamptz"} and abs(value) <= MAX_WHOLE:
            return value
        case float() if math.isfinite(value):
            return value
        case str() if kind == "json":
            return _parsed(value)
    text = as_text(value, kind)
    return text == "true" if kind == "boolean" and text in {"true", "false"} else text


def _written_moment(value: int | str) -> str:
    found = moment(value)
    if found is None:
        return str(value)
    whole, _, part = found.replace(tzinfo=None).isoformat().partition(".")
    return f"{whole}.{part.rstrip('0')}Z" if part else f"{whole}Z"


def _written_float(value: float) -> str:
    """As Postgres writes it."""
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return repr(value).removesuffix(".0")


def _parsed(value: str) -> Any:
    try:
        found = json.loads(value, parse_constant=lambda _: None)
        dumped(found)
    except (ValueError, RecursionError):
        return value
    return found
