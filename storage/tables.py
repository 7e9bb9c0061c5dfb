"""The app's tables. Prisma owns them, so their columns are read from the database at start."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Connection, inspect
from sqlalchemy.exc import NoSuchTableError
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from storage.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Table


class AppTable(enum.Enum):
    """A table of the app, by the setting that has its name."""

    PUSH_SUBSCRIPTION = "PUSH_SUBSCRIPTION_TABLE"
    FILE = "FILE_TABLE"
    AVATAR = "AVATAR_TABLE"
    LOCALE = "PUSH_LOCALE_TABLE"
    EMAIL_SUPPRESSION = "EMAIL_SUPPRESSION_TABLE"
    NOTIFICATION = "NOTIFICATION_TABLE"
    NOTIFICATION_USER = "NOTIFICATION_USER_TABLE"
    PREFERENCE = "PREFERENCE_TABLE"
    OUTBOX = "OUTBOX_TABLE"
    LOGS = "CLEANUP_LOGS"
    SESSIONS = "CLEANUP_SESSIONS"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A table that this process needs: its `name` in the database, and its `columns` by the model's fields.

    Columns of the fields in `required` must exist; others are used if they exist.
    """

    model: type[SQLModel]
    name: str
    columns: Mapping[str, str]
    required: Sequence[str]
    setting: str | None = None  # the setting that gives other names to columns

    @classmethod
    def usual(cls, model: type[SQLModel], name: str) -> Wanted:
        """A table whose columns have the names of the model."""
        fields = model.model_fields
        columns = {field: info.alias or field for field, info in fields.items()}
        return cls(model, name, columns, [field for field, info in fields.items() if info.is_required()])


@dataclass(frozen=True, slots=True)
class Found:
    """A table as the database has it: a SQLModel table `model`, with a column for each field that exists."""

    model: Any
    columns: Mapping[str, Column[Any]]

    @property
    def table(self) -> Table:
        """The table with all columns, also those that the model does not have."""
        table: Table = self.model.__table__
        return table


def look_for(connection: Connection, wanted: Mapping[AppTable, Wanted], schema: str | None) -> dict[AppTable, Found]:
    """Read the columns of the tables in `schema`.

    Raises SchemaError with one line for each missing table and column.
    """
    columns = {table: _columns(connection, want.name, schema) for table, want in wanted.items()}
    faults = [fault for table, want in wanted.items() for fault in _faults(table, want, columns[table])]
    if faults:
        raise SchemaError("\n".join(faults))
    return {table: _found(want, columns[table], schema) for table, want in wanted.items()}


def _columns(connection: Connection, name: str, schema: str | None) -> dict[str, Column[Any]]:
    try:
        columns = inspect(connection).get_columns(name, schema)
    except NoSuchTableError:
        return {}
    return {column["name"]: Column(column["name"], column["type"], nullable=column["nullable"]) for column in columns}


def _found(want: Wanted, columns: Mapping[str, Column[Any]], schema: str | None) -> Found:
    """Make the model a SQLModel table. If two fields share a column, the table has only the first."""
    fields = {field: columns[name] for field, name in want.columns.items() if name in columns}
    fields.get("id", fields[want.required[0]]).primary_key = True  # a model must have one
    distinct = {column.name: field for field, column in reversed(fields.items())}
    mapped = {field: fields[field] for field in distinct.values()}
    namespace = {
        "__module__": __name__,
        "__doc__": want.model.__doc__,
        "__tablename__": want.name,
        "__table_args__": {"schema": schema},
        "__annotations__": dict.fromkeys(mapped, Any),
        **{field: Field(sa_column=column) for field, column in mapped.items()},
    }
    kind: Any = type(SQLModel)
    base = kind("Base", (SQLModel,), {"__module__": __name__}, registry=registry())  # each database has its own tables
    model: Any = kind(want.model.__name__, (base,), namespace, table=True)
    for name, column in columns.items():
        if name not in distinct:
            model.__table__.append_column(column)
    return Found(model, fields)


def _faults(table: AppTable, want: Wanted, columns: Mapping[str, Column[Any]]) -> Iterable[str]:
    if not columns:
        yield f'DATABASE_URL: there is no table "{want.name}"; set {table.value} if the app calls it otherwise'
        return
    for field in want.required:
        column = want.columns[field]
        if column not in columns:
            yield f'DATABASE_URL: table "{want.name}" has no column "{column}"; {_advice(field, want, columns)}'


def _advice(field: str, want: Wanted, columns: Mapping[str, Column[Any]]) -> str:
    if want.setting is None:
        return "add it to the app's Prisma schema"
    usual = want.model.model_fields[field].alias or field
    own = next((name for name in columns if _plain(usual) in _plain(name)), "its name")
    return f"add it to the app's Prisma schema, or say in {want.setting} what the app has: {usual}={own}"


def _plain(name: str) -> str:
    return name.replace("_", "").lower()
