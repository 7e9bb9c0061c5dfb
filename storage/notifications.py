"""What the app tells its users, in its database."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    Enum,
    Integer,
    Text,
    bindparam,
    cast,
    exists,
    func,
    literal,
    literal_column,
    select,
    text,
    union_all,
)
from sqlalchemy.dialects import postgresql, sqlite

from storage.errors import SchemaError, StatementRefusedError
from storage.identity import as_id, id_type
from storage.moment import new_row_moment
from storage.ports import Told
from storage.tables import AppTable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Column, Subquery
    from sqlalchemy.ext.asyncio import AsyncConnection
    from sqlalchemy.sql.dml import ReturningInsert

    from storage.database import Database
    from storage.ports import Notice
    from storage.tables import Found

# A row that another table does not know: of Postgres and of SQLite.
FOREIGN_KEY = ("23503", "SQLITE_CONSTRAINT_FOREIGNKEY")
# Two jobs with one key wait for each other here, so that the second one sees the row of the first.
TURN = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")


class SqlNotifications:
    """The port `Notifications` over NOTIFICATION_TABLE."""

    def __init__(self, database: Database) -> None:
        """The database must have been opened with `AppTable.NOTIFICATION`. Raises SchemaError without `jobKey`."""
        self._database = database
        found = database.found(AppTable.NOTIFICATION)
        self._table, self._columns = found.table, found.columns
        self._id, self._user_id = found.columns["id"], found.columns["user_id"]
        self._key = _key_column(found)

    async def add(self, notice: Notice, keys: Mapping[str, str]) -> Told:
        """Add a row for each user, unless there is one with its key, or an unread one with the same `dedupe_key`."""
        users = {user: as_id(self._user_id, user) for user in keys}
        known = {user: keys[user] for user, value in users.items() if value is not None}
        told = await self._add(notice, known) if known else Told({})
        return Told(told.rows, told.unknown | (keys.keys() - known.keys()))

    async def unread(self, user_ids: Sequence[str]) -> dict[str, int]:
        """How many unread rows each of these users has."""
        values = {user: as_id(self._user_id, user) for user in user_ids}
        among = bindparam(
            None, [v for v in values.values() if v is not None], type_=id_type(self._user_id), expanding=True
        )
        query = select(self._user_id, func.count()).where(self._user_id.in_(among), self._columns["read_at"].is_(None))
        async with self._database.connection() as connection:
            rows = (await connection.execute(query.group_by(self._user_id))).all()
        if len(values) == 1:  # all rows are this user's, however the database compares
            return {user: sum(count for _, count in rows) for user in values}
        counts: dict[Any, int] = dict(rows)
        return {user: counts.get(value, 0) for user, value in values.items()}

    async def _add(self, notice: Notice, keys: Mapping[str, str]) -> Told:
        """Half of the users at a time where the database does not know one of them."""
        try:
            return Told(await self._write(notice, keys))
        except StatementRefusedError as error:
            if error.code not in FOREIGN_KEY:
                raise
        if len(keys) == 1:
            return Told({}, frozenset(keys))
        pairs = list(keys.items())
        halves = [await self._add(notice, dict(half)) for half in (pairs[::2], pairs[1::2])]
        return Told({**halves[0].rows, **halves[1].rows}, halves[0].unknown | halves[1].unknown)

    async def _write(self, notice: Notice, keys: Mapping[str, str]) -> dict[str, str]:
        """The ids of the rows that are there now, by user."""
        statement, database = self._insert(notice, keys), self._database
        waits = notice.dedupe_key is not None and not database.is_sqlite  # which has one writer at a time
        async with database.transaction() if waits else database.connection(writes=True) as connection:
            if waits:
                await connection.execute(TURN, {"key": f"{self._table.name}:{notice.dedupe_key}"})
            ids = _by_key(await connection.execute(statement))
            return await self._with_earlier(connection, ids, keys)

    async def _with_earlier(
        self, connection: AsyncConnection, ids: dict[str, str], keys: Mapping[str, str]
    ) -> dict[str, str]:
        """These rows, and those that an earlier run of the job has added."""
        if missing := [key for key in keys.values() if key not in ids]:
            values = [as_id(self._key, key) for key in missing]
            among = bindparam(None, values, type_=id_type(self._key), expanding=True)
            ids |= _by_key(await connection.execute(select(self._key, self._id).where(self._key.in_(among))))
        return {user: ids[key] for user, key in keys.items() if key in ids}

    def _insert(self, notice: Notice, keys: Mapping[str, str]) -> ReturningInsert[Any]:
        recipients = self._recipients(keys)
        values = self._values(notice)
        new = select(recipients.c.key, recipients.c.user_id, *values.values()).where(self._is_news(notice, recipients))
        names = [self._key.name, self._user_id.name, *values]
        insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        # No more is said of the conflict: the app may have a constraint of its own against a second row.
        added: Any = insert(self._table).from_select(names, new).on_conflict_do_nothing()
        statement: ReturningInsert[Any] = added.returning(self._key, self._id)
        return statement

    def _recipients(self, keys: Mapping[str, str]) -> Subquery:
        def row(user: str, key: str) -> Any:
            return select(
                literal(as_id(self._key, key), id_type(self._key)).label("key"),
                literal(as_id(self._user_id, user), id_type(self._user_id)).label("user_id"),
            )

        return union_all(*(row(user, key) for user, key in keys.items())).subquery("recipients")

    def _is_news(self, notice: Notice, recipients: Subquery) -> ColumnElement[bool]:
        if notice.dedupe_key is None:
            return literal_column("1") == literal_column("1")  # SQLite's grammar asks for a WHERE before ON CONFLICT
        if (column := self._columns.get("dedupe_key")) is None:
            msg = f'dedupeKey: table "{self._table.name}" has no column "dedupeKey"'
            raise SchemaError(msg)
        seen = self._table.alias("seen")
        return ~exists(
            select(literal_column("1")).where(
                seen.c[self._user_id.name] == recipients.c.user_id,
                seen.c[column.name] == notice.dedupe_key,
                seen.c[self._columns["read_at"].name].is_(None),
            )
        )

    def _values(self, notice: Notice) -> dict[str, ColumnElement[Any]]:
        """The columns that are the same for all users. What is not given is left to the column's default."""
        given: dict[str, Any] = {
            "title": notice.title,
            "body": notice.body,
            "url": notice.url,
            "dedupe_key": notice.dedupe_key,
        }
        columns = self._columns
        values = {
            columns[field].name: _text(columns[field], value)
            for field, value in given.items()
            if field in columns and value is not None
        }
        if (column := columns.get("type")) is not None:
            values[column.name] = _word(column, notice.type)
        if (column := columns.get("json_")) is not None and notice.metadata is not None:
            written = literal(json.dumps(notice.metadata), Text())
            values[column.name] = written if self._database.is_sqlite else cast(written, column.type)
        for field in ("created_at", "updated_at"):
            if (column := columns.get(field)) is None:
                continue
            if (now := new_row_moment(self._database, self._table, column.name)) is not None:
                values[column.name] = now if self._database.is_sqlite else literal(now, column.type)
        return values


def _key_column(found: Found) -> Column[Any]:
    if not isinstance(found.columns["id"].type, Integer):
        return found.columns["id"]
    if (column := found.columns.get("job_key")) is not None:
        return column
    msg = (
        f'DATABASE_URL: table "{found.table.name}" has numbers as ids, and so needs a column "jobKey", by which a job '
        "that runs again finds its row; add `jobKey String? @unique` to the app's Prisma schema"
    )
    raise SchemaError(msg)


def _by_key(rows: Any) -> dict[str, str]:
    return {str(key): str(row_id) for key, row_id in rows}


def _text(column: Column[Any], value: str) -> ColumnElement[Any]:
    return literal(value[: getattr(column.type, "length", None)], column.type)


def _word(column: Column[Any], word: str) -> ColumnElement[Any]:
    """A word, as the column's enum spells it. Raises SchemaError if it does not have it."""
    if not isinstance(column.type, Enum):
        return _text(column, word)
    for spelt in (word, word.upper(), word.lower()):
        if spelt in column.type.enums:
            return literal(spelt, column.type)
    msg = f'type: column "{column.name}" takes {", ".join(column.type.enums)} only'
    raise SchemaError(msg)
