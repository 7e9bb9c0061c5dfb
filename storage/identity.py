"""Ids are text in a job, but text, a number or a UUID in the app's database."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any

from sqlalchemy import TEXT, VARCHAR, BigInteger, Column, ColumnElement, Integer, Uuid, false, literal

if TYPE_CHECKING:
    from sqlalchemy.types import TypeEngine

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")  # as the database writes it: no space, no plus sign, no leading zero
MAX_BIGINT = 2**63 - 1


def as_id(column: Column[Any], text: str) -> Any:
    """The id as a value of the column's type; None if the type can't hold it."""
    if isinstance(column.type, Integer):
        return int(text) if _INTEGER.fullmatch(text) and abs(int(text)) <= MAX_BIGINT else None
    if isinstance(column.type, Uuid):
        return _uuid(text)
    return text if is_storable(text) else None


def id_type(column: Column[Any]) -> TypeEngine[Any]:
    """The type of id parameters. BIGINT for INTEGER: Postgres would refuse a number that is too large for INTEGER."""
    return BigInteger() if isinstance(column.type, Integer) else column.type


def has_id(column: Column[Any], text: str) -> ColumnElement[bool]:
    """The condition that `column` has the id `text`. Never true if the column's type can't hold it."""
    value = as_id(column, text)
    return false() if value is None else column == literal(value, id_type(column))


def compares_as_python(column: Column[Any]) -> bool:
    """Whether the database compares as Python does: not with CITEXT, CHAR, or a special collation."""
    if type(column.type) in {TEXT, VARCHAR}:
        return column.type.collation is None  # type: ignore[attr-defined]  # it is one of the two
    return isinstance(column.type, Integer | Uuid)


def is_storable(text: str) -> bool:
    """Whether Postgres can hold the text: no NUL character and no lone surrogate, which JSON allows."""
    return "\0" not in text and text == text.encode(errors="replace").decode()


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
