"""`options.where`: values of the app's columns that a subscription must have."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from processors.lenient import BOOLEAN, NUMBER, STRING, one_of

MAX_VALUES = 500  # of one column: a query has a parameter for each
_NULL = {"type": "null"}
_VALUES = {"type": "array", "items": {"anyOf": [STRING, NUMBER, BOOLEAN, _NULL]}, "maxItems": MAX_VALUES}


def _listed(value: Any) -> list[str | int | float | bool | None]:
    values = value if isinstance(value, list) else [value]
    if len(values) > MAX_VALUES or not all(map(_is_scalar, values)):
        msg = f"neither text, a number, true, false or null, nor a list of at most {MAX_VALUES} of them"
        raise ValueError(msg)
    return values


def _is_scalar(value: Any) -> bool:
    return math.isfinite(value) if isinstance(value, float) else value is None or isinstance(value, str | int)


def _not_empty(where: dict[str, Any]) -> dict[str, Any]:
    """An app that has no value for its only column would else send to everybody."""
    if not where:
        msg = "has no column; leave it out to choose all"
        raise ValueError(msg)
    return where


# Column -> the values that a row may have. null is the database's NULL, and an empty list chooses nobody.
Where = Annotated[
    dict[str, Annotated[Any, BeforeValidator(_listed), one_of(STRING, NUMBER, BOOLEAN, _NULL, _VALUES)]],
    AfterValidator(_not_empty),
    Field(json_schema_extra={"minProperties": 1}),
]
