"""Ids: text in a job, but text, a number or a UUID in the app's database."""

from __future__ import annotations

import re
import uuid
from typing import Any

from sqlalchemy import BigInteger, Column, ColumnElement, Integer, Uuid, false, literal

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")  # as the database writes it: no space, no sign, no leading zero
_MAX_BIGINT = 2**63 - 1


def has_id(column: Column[Any], text: str) -> ColumnElement[bool]:
    """The condition that `column` holds the id `text`: never true if a column of that type can't hold it."""
    if isinstance(column.type, Integer):
        return _has_integer(column, text)
    if isinstance(column.type, Uuid):
        return _has_uuid(column, text)
    return column == text if _is_storable(text) else false()


def _has_integer(column: Column[Any], text: str) -> ColumnElement[bool]:
    if not _INTEGER.fullmatch(text) or abs(int(text)) > _MAX_BIGINT:
        return false()
    return column == literal(int(text), BigInteger)  # in an INTEGER's own type, Postgres refuses a larger number


def _has_uuid(column: Column[Any], text: str) -> ColumnElement[bool]:
    try:
        return column == uuid.UUID(text)
    except ValueError:
        return false()


def _is_storable(text: str) -> bool:
    """JSON allows the NUL character and half a surrogate pair; Postgres refuses to look at either."""
    return "\0" not in text and text == text.encode(errors="replace").decode()
