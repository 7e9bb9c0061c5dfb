"""Which subscriptions a job is for, as its options say."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from processors.outage import outages_put_off
from queue_lib.errors import PermanentError
from storage.errors import ConditionRefusedError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence

    from processors.push.payload import Push
    from storage.ports import Subscription, Subscriptions

T = TypeVar("T")


class Audience:
    """The subscriptions that are on, without those that `options.where` leaves out.

    Every call raises SnoozeError while the database is away, and PermanentError if it can't choose by `where`.
    """

    def __init__(self, subscriptions: Subscriptions, push: Push) -> None:
        """Choose among all `subscriptions`."""
        where = push.options.where
        self._subscriptions = subscriptions if where is None else subscriptions.where(where)

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
        return await _asked(rows)


async def _asked(answer: Awaitable[T]) -> T:
    try:
        with outages_put_off():
            return await answer
    except ConditionRefusedError as error:
        msg = f"options.where: {error}"
        raise PermanentError(msg) from None
