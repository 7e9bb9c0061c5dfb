"""The app's push subscriptions, in its database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    TEXT,
    VARCHAR,
    Column,
    ColumnElement,
    Integer,
    Select,
    Uuid,
    and_,
    bindparam,
    delete,
    func,
    literal,
    or_,
    select,
)

from storage.cells import as_moment, as_text, moment, text
from storage.identity import as_id, has_id, id_type
from storage.ports import Subscription
from storage.tables import AppTable
from storage.together import Together

if TYPE_CHECKING:
    from collections.abc import Sequence

    from storage.database import Database

PRUNE_BATCH = 100  # rows in one statement: three parameters each, and an old SQLite allows 999
USERS_AT_ONCE = 100
EXPIRATION = "expirationTime"  # an optional column


class SqlSubscriptions:
    """The port `Subscriptions` over the table that the app calls `PushSubscription`."""

    def __init__(self, database: Database) -> None:
        """Take a database that was opened with `AppTable.PUSH_SUBSCRIPTION`."""
        self._database = database
        self._table = database.table(AppTable.PUSH_SUBSCRIPTION)
        columns = self._table.c
        wanted: list[ColumnElement[Any]] = [columns.id, columns.userId]
        wanted += [as_text(columns[name]) for name in ("endpoint", "p256dh", "auth")]
        if EXPIRATION in columns:
            wanted.append(as_moment(columns[EXPIRATION], in_sqlite=database.is_sqlite))
        self._all = select(*wanted).order_by(columns.id)
        users = bindparam("users", type_=id_type(columns.userId), expanding=True)
        self._of_users = database.reader(self._all.where(columns.userId.in_(users)))  # every push job asks for one
        self._by_user = Together(self._look_up, USERS_AT_ONCE if _compares_as_python(columns.userId) else 1)

    async def of_user(self, user_id: str) -> list[Subscription]:
        """All subscriptions of a user, oldest id first; an unknown user has none."""
        user = as_id(self._table.c.userId, user_id)
        return [] if user is None else await self._by_user.get(user)

    async def with_ids(self, ids: Sequence[str]) -> list[Subscription]:
        """The subscriptions with these ids (up to 1,000), by id; ids that no row has are left out."""
        return await self._read(self._all.where(self._among("id", ids)))

    async def page(self, after: str | None, limit: int, user_ids: Sequence[str] | None = None) -> list[Subscription]:
        """The next `limit` subscriptions by id, from after the id `after`: of these users, or of everybody (None)."""
        query = self._of(user_ids).limit(limit)
        if after is not None:
            column = self._table.c.id
            query = query.where(column > literal(as_id(column, after), id_type(column)))
        return await self._read(query)

    async def last(self, limit: int, user_ids: Sequence[str] | None = None) -> list[Subscription]:
        """The last `limit` subscriptions by id, in this order; of whom as in `page`."""
        newest_first = self._of(user_ids).order_by(None).order_by(self._table.c.id.desc())
        return (await self._read(newest_first.limit(limit)))[::-1]

    async def count(self) -> int:
        """How many subscriptions there are, of everybody."""
        async with self._database.connection() as connection:
            return int(await connection.scalar(select(func.count()).select_from(self._table)) or 0)

    async def prune(self, subscriptions: Sequence[Subscription]) -> int:
        """Delete the rows that still have that endpoint and key; returns how many were deleted."""
        deleted = 0
        for start in range(0, len(subscriptions), PRUNE_BATCH):
            deleted += await self._delete(subscriptions[start : start + PRUNE_BATCH])
        return deleted

    async def _look_up(self, users: Sequence[Any]) -> dict[Any, list[Subscription]]:
        """The subscriptions of each of these users."""
        rows = await self._of_users(users)
        if len(users) == 1:  # all are his, however the database compares
            return {users[0]: [_subscription(row) for row in rows]}
        found: dict[Any, list[Subscription]] = {user: [] for user in users}
        for row in rows:
            if row[1] not in found:  # it compares in its own way after all, as SQLite with NOCASE
                return {user: (await self._look_up([user]))[user] for user in users}
            found[row[1]].append(_subscription(row))
        return found

    def _of(self, user_ids: Sequence[str] | None) -> Select[Any]:
        return self._all if user_ids is None else self._all.where(self._among("userId", user_ids))

    async def _read(self, query: Select[Any]) -> list[Subscription]:
        async with self._database.connection() as connection:
            return [_subscription(row) for row in await connection.execute(query)]

    def _among(self, name: str, ids: Sequence[str]) -> ColumnElement[bool]:
        column = self._table.c[name]
        values = [value for value in (as_id(column, text) for text in ids) if value is not None]
        return column.in_(bindparam(None, values, type_=id_type(column), expanding=True))

    async def _delete(self, batch: Sequence[Subscription]) -> int:
        statement = delete(self._table).where(or_(*(self._unchanged(subscription) for subscription in batch)))
        async with self._database.connection(writes=True) as connection:
            return (await connection.execute(statement)).rowcount

    def _unchanged(self, subscription: Subscription) -> ColumnElement[bool]:
        columns = self._table.c
        return and_(
            has_id(columns.id, subscription.id),
            func.coalesce(as_text(columns.endpoint), "") == subscription.endpoint,
            func.coalesce(as_text(columns.p256dh), "") == subscription.p256dh,
        )


def _compares_as_python(column: Column[Any]) -> bool:
    """Whether what the database calls equal is equal here: not so with CITEXT, CHAR, or a collation of its own."""
    if type(column.type) in {TEXT, VARCHAR}:
        return column.type.collation is None  # type: ignore[attr-defined]  # it is one of the two
    return isinstance(column.type, Integer | Uuid)


def _subscription(row: Sequence[Any]) -> Subscription:
    row_id, user_id, endpoint, p256dh, auth, *expiration = row
    return Subscription(
        id=str(row_id),
        user_id=str(user_id),
        endpoint=text(endpoint),
        p256dh=text(p256dh),
        auth=text(auth),
        expires_at=moment(expiration[0]) if expiration else None,
    )
