"""Values as apps write them: numbers for strings, strings for numbers, dates. Each type has a JSON Schema that says so.

pydantic's own schemas leave out what pydantic converts, so a client made of them would refuse valid jobs.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from queue_lib.cancel_key import LONGEST_KEY
from queue_lib.processor import Model

if TYPE_CHECKING:
    from pydantic import GetJsonSchemaHandler
    from pydantic_core import CoreSchema

# Milliseconds. A smaller number was meant as seconds (as milliseconds it is before 1973).
MIN_TIME = 10**11
MAX_TIME = MIN_TIME * 1000


def one_of(*schemas: dict[str, Any]) -> WithJsonSchema:
    """The JSON Schema of a value that may have any of these forms."""
    return WithJsonSchema({"anyOf": list(schemas)})


def tolerated(schema: dict[str, Any]) -> dict[str, Any]:
    """A form that is taken, but not the one that producers should write: the types of `pushmill` do not have it."""
    return {**schema, "deprecated": True}


def without_nulls(value: Any) -> Any:
    """The object without its nulls: JavaScript writes null for a missing value."""
    return {key: given for key, given in value.items() if given is not None} if isinstance(value, dict) else value


class NullsLeftOut(Model):
    """An object in which null means that a field is missing."""

    @model_validator(mode="before")
    @classmethod
    def _nulls_left_out(cls, value: Any) -> Any:
        return without_nulls(value)


class OrNull:
    """Marks a field whose null, which JavaScript writes for a missing value, means its default."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Add null to the field's own schema."""
        return {"anyOf": [handler(schema), tolerated({"type": "null"})]}


def _seconds(value: Any) -> Any:
    """A time as JavaScript writes it, in seconds since the epoch; raises ValueError for any other."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
        if moment is not None and moment.tzinfo is not None:
            return moment.timestamp()
    elif isinstance(value, (int, float)) and not isinstance(value, bool) and MIN_TIME <= value < MAX_TIME:
        return value / 1000
    msg = "neither milliseconds since the epoch, as Date.now() gives, nor an ISO date with its zone"
    raise ValueError(msg)


STRING, NUMBER, INTEGER, BOOLEAN = ({"type": kind} for kind in ("string", "number", "integer", "boolean"))
DIGITS = {**STRING, "pattern": "[0-9]", "description": "the digits of a number"}
WORD = {**STRING, "maxLength": 5, "description": "true, yes, on, y, t, 1, or the opposite"}

# A browser makes a string of a number.
Text = Annotated[str, Field(coerce_numbers_to_str=True), one_of(STRING, NUMBER)]
Id = Annotated[str, Field(min_length=1, coerce_numbers_to_str=True), one_of({**STRING, "minLength": 1}, NUMBER)]
# What jobs are cancelled or collapsed by.
Key = Annotated[
    str,
    Field(min_length=1, max_length=LONGEST_KEY, coerce_numbers_to_str=True),
    one_of({**STRING, "minLength": 1, "maxLength": LONGEST_KEY}, NUMBER),
]
Whole = Annotated[int, one_of(INTEGER, tolerated(DIGITS), tolerated(BOOLEAN))]
Flag = Annotated[bool, one_of(BOOLEAN, tolerated({"enum": [0, 1]}), tolerated(WORD))]
# In seconds since the epoch.
Moment = Annotated[
    float,
    BeforeValidator(_seconds),
    one_of(
        {
            **NUMBER,
            "minimum": MIN_TIME,
            "exclusiveMaximum": MAX_TIME,
            "description": "milliseconds since the epoch, as of Date.now()",
        },
        {**STRING, "format": "date-time"},
    ),
]
