"""What an export carries, and what comes back."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, PlainValidator, WithJsonSchema, field_validator, model_validator

from processors.lenient import BOOLEAN, NUMBER, STRING, Flag, Id, NullsLeftOut, OrNull, Text
from queue_lib.processor import Model

NAME = r"^[A-Za-z][A-Za-z0-9_]{0,55}$"  # with `export_` before it, a name in Postgres has 63 characters at most
MAX_COLUMNS = 1600  # of a view in Postgres
MAX_FILTERS = 100
MAX_VALUES = 1000
OPERATORS = ("gte", "gt", "lte", "lt")

ExportType = Literal["csv", "json", "jsonl", "xlsx"]
Notice = Literal["email", "push", "in-app"]

_VALUE = {"anyOf": [STRING, NUMBER, BOOLEAN]}
_OR_NULL = {"anyOf": [*_VALUE["anyOf"], {"type": "null"}]}
_BOUNDS = {
    "title": "ExportBounds",
    "type": "object",
    "properties": {operator: {"anyOf": [STRING, NUMBER]} for operator in OPERATORS},
    "additionalProperties": False,
    "minProperties": 1,
}
FILTER = {
    "anyOf": [*_OR_NULL["anyOf"], {"type": "array", "items": _OR_NULL, "maxItems": MAX_VALUES}, _BOUNDS],
}


def _filter(value: Any) -> Any:
    match value:
        case dict():
            bounds = value.values()
            is_fit = len(value) > 0 and set(value) <= set(OPERATORS) and all(_is_plain(each) for each in bounds)
            is_fit = is_fit and not any(isinstance(each, bool) for each in bounds)
        case list():
            is_fit = len(value) <= MAX_VALUES and all(each is None or _is_plain(each) for each in value)
        case _:
            is_fit = value is None or _is_plain(value)
    if not is_fit:
        msg = f"neither a value, nor a list of {MAX_VALUES:,} at most, nor an object of gte, gt, lte and lt"
        raise ValueError(msg)
    return value


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value))


def _once(columns: list[str]) -> list[str]:
    if len(set(columns)) < len(columns):
        msg = "one of them is there twice"
        raise ValueError(msg)
    return columns


Filter = Annotated[Any, PlainValidator(_filter), WithJsonSchema(FILTER)]


class ExportPayload(NullsLeftOut):
    """`data-export`: the rows of a view as a file."""

    model_config = ConfigDict(title="DataExport")

    export_type: ExportType
    name: Annotated[str, Field(pattern=NAME)] | None = Field(
        None, description="the view export_<name> has the rows; default: the only view there is"
    )
    user_id: Id | None = Field(None, description="required if the view has a column userId: whose rows they are")
    filters: Annotated[dict[str, Filter], Field(max_length=MAX_FILTERS), OrNull()] = Field(
        default_factory=dict, description="column -> value, one of several, or bounds; a row meets all of them"
    )
    columns: Annotated[list[str], Field(min_length=1, max_length=MAX_COLUMNS), AfterValidator(_once)] | None = Field(
        None, description="in this order; default: all of the view"
    )
    gzip: Annotated[Flag, OrNull()] = Field(default=False, description="of csv, json and jsonl")
    bom: Annotated[Flag, OrNull()] = Field(
        default=True, description="csv begins with the mark by which Excel knows UTF-8"
    )
    escape_formulas: Annotated[Flag, OrNull()] = Field(
        default=True, description="in csv, ' stands before a text that a spreadsheet takes for a formula"
    )
    filename: Text | None = Field(None, description="what browsers call the file; default: name and format")
    notify: Annotated[list[Notice], OrNull()] = Field(
        default_factory=list, description="tell userId when the file is there"
    )
    email: Text | None = Field(
        None, description="where userId gets the e-mail; default: what NOTIFICATION_USER_TABLE has"
    )

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if self.gzip and self.export_type == "xlsx":
            msg = "gzip: a file of the type xlsx is compressed already"
            raise ValueError(msg)
        if self.notify and self.user_id is None:
            msg = "notify needs userId"
            raise ValueError(msg)
        return self

    @field_validator("notify")
    @classmethod
    def _each_once(cls, channels: list[Notice]) -> list[Notice]:
        return list(dict.fromkeys(channels))


class ExportResult(Model):
    """Where the file is."""

    url: str = Field(description="signed, if the store signs links")
    key: str = Field(description="the storage key")
    rows: int
    bytes: int
    sheets: int | None = Field(None, description="of an xlsx")
    cut_cells: int | None = Field(
        None,
        description="of an xlsx: texts of more than 32,767 characters, which no cell holds; each says that it is cut",
    )
    expires_at: str | None = Field(None, description="when the link expires: an ISO date; null: it does not")
    sha256: str = Field(description="of the file, in hex")
    truncated: Literal[False] = Field(default=False, description="no export leaves rows out")
