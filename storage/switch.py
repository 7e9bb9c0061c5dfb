"""The app's column that switches a subscription off, if it has one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Boolean, Column, ColumnElement, DateTime, Integer, literal_column

from storage.columns import SWITCHES
from storage.errors import SchemaError
from storage.moment import now_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Table

    from storage.database import Database
    from storage.tables import Found

DATE, DISABLED = "disabled_at", "disabled"


@dataclass(frozen=True, slots=True)
class Switch:
    """Which rows are on, and how to switch one off. A row with NULL is on."""

    database: Database
    table: Table
    field: str
    column: Column[Any]
    touched: Column[Any] | None  # Prisma's `@updatedAt`

    def is_on(self) -> ColumnElement[bool]:
        """The condition that a row is on."""
        if self.field == DATE:
            return self.column.is_(None)
        # No parameter: a query of `Reader` may have only one.
        off = literal_column(str(int(self.field == DISABLED))) if self._is_number() else self._off()
        return self.column.is_distinct_from(off)

    def off(self) -> Mapping[str, Any]:
        """The values (column -> value) that switch a row off."""
        also = {} if self.touched is None else {self.touched.name: self._now(self.touched)}
        return {**also, self.column.name: self._off()}

    def _off(self) -> Any:
        if self.field == DATE:
            return self._now(self.column)
        is_off = self.field == DISABLED
        return int(is_off) if self._is_number() else is_off

    def _now(self, column: Column[Any]) -> Any:
        return now_for(self.database, self.table, column.name)

    def _is_number(self) -> bool:
        return isinstance(self.column.type, Integer)


def find_switch(database: Database, found: Found) -> Switch | None:
    """The switch of a table of subscriptions, if any. Raises SchemaError if the column has the wrong type."""
    for field in SWITCHES:
        if (column := found.columns.get(field)) is None:
            continue
        if not isinstance(column.type, DateTime if field == DATE else Boolean | Integer):
            kind = "date and time" if field == DATE else "boolean"
            msg = f'PUSH_SUBSCRIPTION_COLUMNS: column "{column.name}" of "{found.table.name}" is no {kind}'
            raise SchemaError(msg)
        touched = found.columns.get("updated_at")
        is_date = touched is not None and isinstance(touched.type, DateTime)
        return Switch(database, found.table, field, column, touched if is_date else None)
    return None
