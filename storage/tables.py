"""The app's tables: Prisma made them and migrates them; what they look like is read from the database at start."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from sqlalchemy import Column, Connection, MetaData, Table, inspect
from sqlalchemy.exc import NoSuchTableError

from storage.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class AppTable(enum.Enum):
    """A table of the app, by the setting that gives its name in the database."""

    PUSH_SUBSCRIPTION = "PUSH_SUBSCRIPTION_TABLE"
    FILE = "FILE_TABLE"
    AVATAR = "AVATAR_TABLE"


REQUIRED_COLUMNS: Mapping[AppTable, tuple[str, ...]] = {
    AppTable.PUSH_SUBSCRIPTION: ("id", "userId", "endpoint", "p256dh", "auth"),
    AppTable.FILE: ("id", "compressedUrl", "thumbnailUrl", "processed"),
    AppTable.AVATAR: ("id",),
}


def reflect(connection: Connection, names: Mapping[AppTable, str], schema: str | None) -> dict[AppTable, Table]:
    """Read the columns of the tables `names` (setting -> name in the database), all columns, in `schema`.

    Raises SchemaError with one line for each table and each column that is missing.
    """
    metadata = MetaData(schema=schema)
    tables = {table: _table(connection, name, metadata) for table, name in names.items()}
    faults = [fault for table, name in names.items() for fault in _faults(table, name, tables[table])]
    if faults:
        raise SchemaError("\n".join(faults))
    return tables


def _table(connection: Connection, name: str, metadata: MetaData) -> Table:
    try:
        columns = inspect(connection).get_columns(name, metadata.schema)
    except NoSuchTableError:
        columns = []
    return Table(
        name, metadata, *(Column(column["name"], column["type"], nullable=column["nullable"]) for column in columns)
    )


def _faults(table: AppTable, name: str, reflected: Table) -> Iterable[str]:
    if not reflected.columns:
        yield f'DATABASE_URL: there is no table "{name}"; set {table.value} if the app calls it otherwise'
        return
    for column in REQUIRED_COLUMNS[table]:
        if column not in reflected.columns:
            yield f'DATABASE_URL: table "{name}" has no column "{column}"; add it to the app\'s Prisma schema'
