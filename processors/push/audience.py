"""Which subscriptions a job is for, as its options say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from processors.outage import outages_put_off
from queue_lib.errors import PermanentError
from storage.errors import ConditionRefusedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from processors.push.dependencies import PushDependencies
    from processors.push.payload import Push
    from storage.ports import Subscription, Subscriptions

T = TypeVar("T")


class Audience:
    """The subscriptions that are on, without those that `options.where` leaves out.

    Where a message has texts by locale, a subscription without one has its user's.
    Every call raises SnoozeError while the database is away, and PermanentError if it can't choose by `where`.
    """

    def __init__(self, dependencies: PushDependencies, push: Push) -> None:
        """The audience of this job."""
        everyone, where = dependencies.subscriptions, push.options.where
        self._subscriptions: Subscriptions = everyone if where is None else everyone.where(where)
        self._locales = dependencies.locales if push.payloads else None

    async def of_user(self, user_id: str) -> list[Subscription]:
        """See the port `Subscriptions`."""
        return await self._read(self._subscriptions.of_user(user_id))

    async def with_ids(self, ids: Sequence[str]) -> list[Subscription]:
        """See the port."""
        return await self._read(self._subscriptions.with_ids(ids))

    async def page(self, after: str | None, limit: int, user_ids: Sequence[str] | None = None) -> list[Subscription]:
        """See the port."""
        return await self._read(self._subscriptions.page(after, limit, user_ids))

    async def last(self, limit: int, user_ids: Sequence[str] | None = None) -> list[Subscription]:
        """See the port."""
        return await self._read(self._subscriptions.last(limit, user_ids))

    async def count(self) -> int:
        """See the port."""
        return await _asked(self._subscriptions.count())

    async def _read(self, rows: Awaitable[list[Subscription]]) -> list[Subscription]:
        found = await _asked(rows)
        unknown = {row.user_id for row in found if not row.locale} if self._locales else None
        if not unknown or self._locales is None:
            return found
        locales = await _asked(self._locales.of_users(unknown))
        return [row if row.locale else replace(row, locale=locales.get(row.user_id, "")) for row in found]


async def _asked(answer: Awaitable[T]) -> T:
    try:
        with outages_put_off():
            return await answer
    except ConditionRefusedError as error:
        msg = f"options.where: {error}"
        raise PermanentError(msg) from None
