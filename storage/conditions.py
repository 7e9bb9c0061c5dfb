"""Conditions on columns that the app allows: which rows a job is for."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Double,
    Enum,
    Float,
    Integer,
    Numeric,
    String,
    Uuid,
    bindparam,
    or_,
)

from storage.errors import ConditionRefusedError, SchemaError
from storage.identity import MAX_BIGINT, as_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Table
    from sqlalchemy.types import TypeEngine

    from storage.ports import Scalar

SETTING = "PUSH_WHERE_COLUMNS"


def parse_where(text: str) -> dict[str, str]:
    """Parse PUSH_WHERE_COLUMNS, `name` or `name=column`, comma-separated, into {name: column}. Raises ValueError."""
    columns: dict[str, str] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        name, equals, column = map(str.strip, part.partition("="))
        if not name or (equals and not column) or name in columns:
            msg = "not a list of different columns; it looks like isActive,plan or isActive=is_active"
            raise ValueError(msg)
        columns[name] = column or name
    return columns


class Conditions:
    """The columns of a table by which a job may choose rows, by the names that jobs use."""

    def __init__(self, table: Table, allowed: Mapping[str, str]) -> None:
        """`allowed` is {name: column}. Raises SchemaError if the table lacks one of them."""
        if missing := [column for column in allowed.values() if column not in table.c]:
            msg = f'{SETTING}: table "{table.name}" has no column "{missing[0]}"'
            raise SchemaError(msg)
        self._columns = {name: table.c[column] for name, column in allowed.items()}

    def of(self, name: str, values: Sequence[Scalar]) -> ColumnElement[bool]:
        """That the column has one of these values; None is NULL. Raises ConditionRefusedError."""
        column = self._columns.get(name)
        if column is None:
            allowed = ", ".join(self._columns) or "none; name there the columns that jobs may use"
            msg = f"{name[:50]!r} is no column that a job may choose by; {SETTING} has {allowed}"
            raise ConditionRefusedError(msg)
        wanted = [_value(name, column, value) for value in values if value is not None]
        matches = column.in_(_parameters(column, [value for value in wanted if value is not None]))
        return or_(matches, column.is_(None)) if None in values else matches


def _parameters(column: Column[Any], values: Sequence[Any]) -> Any:
    return bindparam(None, values, type_=_type(column), expanding=True)


def _type(column: Column[Any]) -> TypeEngine[Any]:
    """The type of parameters: wide enough for every number, so that the database refuses none."""
    if isinstance(column.type, Integer):
        return BigInteger()
    return Double() if isinstance(column.type, Numeric | Float) else column.type


def _value(name: str, column: Column[Any], value: Any) -> Any:
    """The value as the column has it; None if no row can have it. Raises ConditionRefusedError for another type."""
    for kind, has, convert in _KINDS:
        if isinstance(column.type, kind):
            try:
                return convert(column, value)
            except (ValueError, TypeError, AttributeError):
                msg = f"the column of {name[:50]!r} has {has}, and the job asks for something else"
                raise ConditionRefusedError(msg) from None
    msg = f"the column of {name[:50]!r} has the type {column.type!s}; a job can only choose by null there"
    raise ConditionRefusedError(msg)


def _boolean(_: Column[Any], value: Any) -> bool:
    if isinstance(value, str) or value not in (0, 1):
        raise ValueError
    return bool(value)


def _whole(column: Column[Any], value: Any) -> Any:
    if isinstance(value, str):
        float(value)  # raises for what is no number
        return as_id(column, value)
    return int(value) if value == int(value) and abs(value) <= MAX_BIGINT else None


def _number(_: Column[Any], value: Any) -> float | None:
    try:
        return float(value)
    except OverflowError:
        return None


def _word(column: Column[Any], value: Any) -> Any:
    if value not in column.type.enums:  # type: ignore[attr-defined]  # it is an Enum
        raise ValueError
    return value


def _text(column: Column[Any], value: Any) -> Any:
    if isinstance(value, bool):
        raise TypeError
    return as_id(column, str(value))


def _uuid(_: Column[Any], value: Any) -> uuid.UUID:
    return uuid.UUID(value)


# The types of columns: an Enum is a String, so it comes first.
_KINDS: tuple[tuple[Any, str, Callable[[Column[Any], Any], Any]], ...] = (
    (Boolean, "true or false", _boolean),
    (Integer, "whole numbers", _whole),
    (Numeric | Float, "numbers", _number),
    (Enum, "words of an enum", _word),
    (Uuid, "UUIDs", _uuid),
    (String, "text", _text),
)
