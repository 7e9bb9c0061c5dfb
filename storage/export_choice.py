"""What of a view is exported: its columns, and the conditions for its rows, checked against what the view has. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from storage.errors import ConditionRefusedError, SchemaError
from storage.identity import is_storable

if TYPE_CHECKING:
    from storage.ports import ExportColumn, ExportFilter, ExportKind, ExportRequest, Scalar

PREFIX = "export_"
OPERATORS = {"gte": ">=", "gt": ">", "lte": "<=", "lt": "<"}
OF_USER = "userid"  # the name of such a column, in small letters and without `_`
SHOWN = 10  # names in a message
_DATE = r"\d{4}-\d{2}-\d{2}"
_MOMENT = re.compile(rf"{_DATE}([Tt ]\d{{2}}:\d{{2}}(:\d{{2}}(\.\d{{1,6}})?)?([Zz]|[+-]\d{{2}}:?\d{{2}})?)?", re.ASCII)
_FORMS: dict[ExportKind, re.Pattern[str]] = {
    "integer": re.compile(r"-?\d{1,19}", re.ASCII),
    "number": re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d{1,3})?", re.ASCII),
    "decimal": re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d{1,3})?", re.ASCII),
    "boolean": re.compile(r"true|false"),
    "date": _MOMENT,
    "timestamp": _MOMENT,
    "timestamptz": _MOMENT,
}
LONGEST = 1000  # characters of a value


@dataclass(frozen=True, slots=True)
class Condition:
    """One that a row must meet: its `column` is one of `values`, or compares by `operator` with the only one.

    The values are texts in the form of the column's kind; None is NULL.
    """

    column: ExportColumn
    operator: str
    values: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """The columns in their order, the conditions, and the columns that must have the user's id."""

    columns: tuple[ExportColumn, ...]
    conditions: tuple[Condition, ...]
    of_user: tuple[ExportColumn, ...]


def view_of(name: str | None, views: Sequence[str]) -> str:
    """The view of that name, or the only one. Raises SchemaError; `views` are all whose names begin with `export_`."""
    names = ", ".join(view.removeprefix(PREFIX) for view in sorted(views)[:SHOWN])
    if name is not None and PREFIX + name in views:
        return PREFIX + name
    if name is None and len(views) == 1:
        return views[0]
    if name is not None:
        msg = f'name: there is no view "{PREFIX}{name}"; the app\'s migrations make one for each export'
    elif views:
        msg = f"name: not set, and there are several views: {names}"
    else:
        msg = (
            f'name: there is no view whose name begins with "{PREFIX}"; the app\'s migrations make one for each export'
        )
    raise SchemaError(msg)


def chosen(request: ExportRequest, columns: Sequence[ExportColumn]) -> Choice:
    """What the request takes of a view with these columns. Raises ConditionRefusedError."""
    known = {column.name: column for column in columns}
    of_user = tuple(column for column in columns if column.name.replace("_", "").lower() == OF_USER)
    if of_user and request.user_id is None:
        msg = f'userId: not set, and the view has the column "{of_user[0].name}"'
        raise ConditionRefusedError(msg)
    if request.user_id is not None and not is_storable(request.user_id):
        msg = "userId: no database has such an id"
        raise ConditionRefusedError(msg)
    wanted = [_known(name, known, "columns") for name in request.columns or known]
    conditions = [
        condition
        for name, given in request.filters.items()
        for condition in _conditions(_known(name, known, "filters"), given)
    ]
    return Choice(tuple(wanted), tuple(conditions), of_user)


def _known(name: str, columns: Mapping[str, ExportColumn], field: str) -> ExportColumn:
    if name not in columns:
        msg = f"{field}: the view has no column {name[:100]!r}"
        raise ConditionRefusedError(msg)
    return columns[name]


def _conditions(column: ExportColumn, given: ExportFilter) -> list[Condition]:
    if column.kind == "json":
        msg = f'filters: the column "{column.name}" is JSON or a list, which can\'t be compared'
        raise ConditionRefusedError(msg)
    if isinstance(given, Mapping):
        return [Condition(column, OPERATORS[name], (_text(column, value),)) for name, value in given.items()]
    values = [given] if isinstance(given, str) or not isinstance(given, Sequence) else given
    return [Condition(column, "=", tuple(None if value is None else _text(column, value) for value in values))]


def _text(column: ExportColumn, value: Scalar) -> str:
    """The value as a text in the form of the column's kind."""
    text = _written(value)
    form = _FORMS.get(column.kind)
    if len(text) > LONGEST or not is_storable(text) or (form is not None and form.fullmatch(text) is None):
        msg = f'filters: a value for "{column.name}" does not fit a column of the kind {column.kind}'
        raise ConditionRefusedError(msg)
    return text


def _written(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and math.isfinite(value) and value == int(value):
        return str(int(value))  # JavaScript writes 1e21 for a whole number
    return str(value)
