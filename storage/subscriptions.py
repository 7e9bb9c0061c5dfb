"""The app's push subscriptions, in its database."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import Column, ColumnElement, Select, and_, bindparam, func, literal, or_, true
from sqlalchemy import select as select_columns
from sqlmodel import delete, select, update

from storage.batcher import Batcher
from storage.conditions import Conditions
from storage.identity import as_id, compares_as_python, id_type
from storage.layout import Layout
from storage.switch import find_switch
from storage.tables import AppTable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from storage.database import Database
    from storage.ports import Scalar, Subscription

PRUNE_BATCH = 100  # rows in one statement: each has four parameters, and an old SQLite allows 999
USERS_AT_ONCE = 100


class SqlSubscriptions:
    """The port `Subscriptions` over PUSH_SUBSCRIPTION_TABLE."""

    def __init__(self, database: Database, where: Mapping[str, str] | None = None) -> None:
        """The database must have been opened with `AppTable.PUSH_SUBSCRIPTION`. `where`: as parse_where gives.

        Raises SchemaError as find_switch and Conditions do.
        """
        self._database = database
        found = database.found(AppTable.PUSH_SUBSCRIPTION)
        self._model = found.model
        self._layout = Layout(found, in_sqlite=database.is_sqlite)
        self._switch = find_switch(database, found)
        self._conditions = Conditions(found.table, where or {})
        self._is_on = true() if self._switch is None else self._switch.is_on()
        self._user_id, self._id = self._layout.user_id, self._layout.id
        self._all = select_columns(*self._layout.wanted()).where(self._id.is_not(None), self._is_on)
        self._all = self._all.order_by(self._id)
        users = bindparam("users", type_=id_type(self._user_id), expanding=True)
        self._of_users = database.reader(self._all.where(self._user_id.in_(users)))  # every push job asks for one
        at_once = USERS_AT_ONCE if compares_as_python(self._user_id) else 1
        self._by_user: Batcher[Any, list[Subscription]] | None = Batcher(self._look_up, at_once)

    @property
    def switches_off(self) -> bool:
        """Whether pruned rows are switched off; else they are deleted."""
        return self._switch is not None

    async def of_user(self, user_id: str) -> list[Subscription]:
        """All subscriptions of a user, by id; an unknown user has none."""
        if self._by_user is None:
            return await self._read(self._of([user_id]))
        user = as_id(self._user_id, user_id)
        return [] if user is None else await self._by_user.get(user)

    async def with_ids(self, ids: Sequence[str]) -> list[Subscription]:
        """The subscriptions with these ids (at most 1,000), by id. Missing ids are left out."""
        return await self._read(self._all.where(self._among(self._id, ids)))

    async def page(self, after: str | None, limit: int, user_ids: Sequence[str] | None = None) -> list[Subscription]:
        """The next `limit` subscriptions by id after the id `after`: of these users, or of all (None)."""
        query = self._of(user_ids).limit(limit)
        if after is not None:
            query = query.where(self._id > literal(as_id(self._id, after), id_type(self._id)))
        return await self._read(query)

    async def last(self, limit: int, user_ids: Sequence[str] | None = None) -> list[Subscription]:
        """The last `limit` subscriptions by id, in ascending order. `user_ids`: as in `page`."""
        newest_first = self._of(user_ids).order_by(None).order_by(self._id.desc())
        return (await self._read(newest_first.limit(limit)))[::-1]

    async def count(self) -> int:
        """The number of subscriptions of all users."""
        query = select(func.count()).select_from(self._model).where(self._is_on)
        async with self._database.connection() as connection:
            return int(await connection.scalar(query) or 0)

    def where(self, conditions: Mapping[str, Sequence[Scalar]]) -> Self:
        """Those of these subscriptions whose columns have one of these values. Raises ConditionRefusedError."""
        asked = [self._conditions.of(name, values) for name, values in conditions.items()]
        narrowed = copy(self)
        narrowed._is_on = and_(self._is_on, *asked)  # noqa: SLF001 -- its own class
        narrowed._all = self._all.where(*asked)  # noqa: SLF001
        narrowed._by_user = None  # noqa: SLF001 -- only jobs with the same conditions could share a query
        return narrowed

    async def prune(self, subscriptions: Sequence[Subscription]) -> int:
        """Delete or switch off the rows that have not changed since they were read. Returns their number."""
        pruned = 0
        for start in range(0, len(subscriptions), PRUNE_BATCH):
            pruned += await self._prune(subscriptions[start : start + PRUNE_BATCH])
        return pruned

    async def _look_up(self, users: Sequence[Any]) -> dict[Any, list[Subscription]]:
        """The subscriptions of each of these users."""
        rows = await self._of_users(users)
        if len(users) == 1:  # all rows are this user's, however the database compares
            return {users[0]: [self._layout.read(row) for row in rows]}
        found: dict[Any, list[Subscription]] = {user: [] for user in users}
        for row in rows:
            if row[1] not in found:  # the database compares differently after all, as SQLite does with NOCASE
                return {user: (await self._look_up([user]))[user] for user in users}
            found[row[1]].append(self._layout.read(row))
        return found

    def _of(self, user_ids: Sequence[str] | None) -> Select[Any]:
        return self._all if user_ids is None else self._all.where(self._among(self._user_id, user_ids))

    async def _read(self, query: Select[Any]) -> list[Subscription]:
        async with self._database.connection() as connection:
            return [self._layout.read(row) for row in await connection.execute(query)]

    def _among(self, column: Column[Any], ids: Sequence[str]) -> ColumnElement[bool]:
        values = [value for value in (as_id(column, text) for text in ids) if value is not None]
        return column.in_(bindparam(None, values, type_=id_type(column), expanding=True))

    async def _prune(self, batch: Sequence[Subscription]) -> int:
        unchanged = or_(*map(self._layout.unchanged, batch))
        statement = (
            delete(self._model).where(unchanged)
            if self._switch is None
            else update(self._model.__table__).where(unchanged).values(self._switch.off())
        )
        async with self._database.connection(writes=True) as connection:
            return (await connection.execute(statement)).rowcount
