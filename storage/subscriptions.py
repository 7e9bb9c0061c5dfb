"""The app's push subscriptions, in its database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, and_, delete, or_, select

from storage.identity import has_id
from storage.ports import Subscription
from storage.tables import AppTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from storage.database import Database

PRUNE_BATCH = 100  # rows in one statement: three parameters each, and an old SQLite allows 999


class SqlSubscriptions:
    """The port `Subscriptions` over the table that the app calls `PushSubscription`."""

    def __init__(self, database: Database) -> None:
        """Take a database that was opened with `AppTable.PUSH_SUBSCRIPTION`."""
        self._database = database
        self._table = database.table(AppTable.PUSH_SUBSCRIPTION)

    async def of_user(self, user_id: str) -> list[Subscription]:
        """All subscriptions of a user, oldest id first; an unknown user has none."""
        columns = self._table.c
        query = (
            select(columns.id, columns.userId, columns.endpoint, columns.p256dh, columns.auth)
            .where(has_id(columns.userId, user_id))
            .order_by(columns.id)
        )
        async with self._database.connection() as connection:
            rows = await connection.execute(query)
            return [
                Subscription(
                    id=str(row.id), user_id=str(row.userId), endpoint=row.endpoint, p256dh=row.p256dh, auth=row.auth
                )
                for row in rows
            ]

    async def prune(self, subscriptions: Sequence[Subscription]) -> int:
        """Delete the rows that still have that endpoint and key; returns how many were deleted."""
        deleted = 0
        for start in range(0, len(subscriptions), PRUNE_BATCH):
            deleted += await self._delete(subscriptions[start : start + PRUNE_BATCH])
        return deleted

    async def _delete(self, batch: Sequence[Subscription]) -> int:
        statement = delete(self._table).where(or_(*(self._unchanged(subscription) for subscription in batch)))
        async with self._database.connection() as connection:
            return (await connection.execute(statement)).rowcount

    def _unchanged(self, subscription: Subscription) -> ColumnElement[bool]:
        columns = self._table.c
        return and_(
            has_id(columns.id, subscription.id),
            columns.endpoint == subscription.endpoint,
            columns.p256dh == subscription.p256dh,
        )
