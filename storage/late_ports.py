"""The ports of storage over a database that may come late."""

from __future__ import annotations

from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence

    from storage.ports import (
        Avatars,
        Backlog,
        CacheViews,
        Export,
        ExportRequest,
        Exports,
        Files,
        Notice,
        Notifications,
        OldRows,
        Outbox,
        Preference,
        Preferences,
        Round,
        Scalar,
        SearchRow,
        SearchRows,
        Span,
        Subscription,
        Subscriptions,
        Suppressions,
        Told,
        UserTexts,
    )


class LateSubscriptions:
    """The port `Subscriptions` over a database that may still be away."""

    def __init__(self, port: Callable[[], Awaitable[Subscriptions]]) -> None:
        """`port` returns the port, or raises StorageAwayError."""
        self._port = port

    async def of_user(self, user_id: str) -> list[Subscription]:
        """See the port."""
        return await (await self._port()).of_user(user_id)

    async def with_ids(self, ids: Sequence[str]) -> list[Subscription]:
        """See the port."""
        return await (await self._port()).with_ids(ids)

    async def page(self, after: str | None, limit: int, user_ids: Sequence[str] | None = None) -> list[Subscription]:
        """See the port."""
        return await (await self._port()).page(after, limit, user_ids)

    async def last(self, limit: int, user_ids: Sequence[str] | None = None) -> list[Subscription]:
        """See the port."""
        return await (await self._port()).last(limit, user_ids)

    async def count(self) -> int:
        """See the port."""
        return await (await self._port()).count()

    def where(self, conditions: Mapping[str, Sequence[Scalar]]) -> LateSubscriptions:
        """See the port."""

        async def port() -> Subscriptions:
            return (await self._port()).where(conditions)

        return LateSubscriptions(port)

    async def prune(self, subscriptions: Sequence[Subscription]) -> int:
        """See the port."""
        return await (await self._port()).prune(subscriptions)


class LateUserTexts:
    """The port `UserTexts` over a database that may still be away."""

    def __init__(self, port: Callable[[], Awaitable[UserTexts]]) -> None:
        """`port` returns the port, or raises StorageAwayError."""
        self._port = port

    async def of_users(self, user_ids: Collection[str]) -> dict[str, str]:
        """See the port."""
        return await (await self._port()).of_users(user_ids)


class LateFiles:
    """The port `Files` over a database that may still be away."""

    def __init__(self, port: Callable[[], Awaitable[Files]]) -> None:
        """`port` returns the port, or raises StorageAwayError."""
        self._port = port

    async def check_owner(self, file_id: str, user_id: str) -> None:
        """See the port."""
        await (await self._port()).check_owner(file_id, user_id)

    async def mark_processing(self, file_id: str) -> None:
        """See the port."""
        await (await self._port()).mark_processing(file_id)

    async def mark_processed(self, file_id: str, values: dict[str, Any]) -> None:
        """See the port."""
        await (await self._port()).mark_processed(file_id, values)

    async def mark_failed(self, file_id: str, user_id: str, reason: str) -> None:
        """See the port."""
        await (await self._port()).mark_failed(file_id, user_id, reason)


class LateAvatars:
    """The port `Avatars` over a database that may still be away."""

    def __init__(self, port: Callable[[], Awaitable[Avatars]]) -> None:
        """`port` returns the port, or raises StorageAwayError."""
        self._port = port

    async def update(self, user_id: str, url: str) -> None:
        """See the port."""
        await (await self._port()).update(user_id, url)


class LateSuppressions:
    """The port `Suppressions` over a database that may still be away."""

    def __init__(self, port: Callable[[], Awaitable[Suppressions]]) -> None:
        """`port` returns the port, or raises StorageAwayError."""
        self._port = port

    async def among(self, addresses: Sequence[str]) -> set[str]:
        """See the port."""
        return await (await self._port()).among(addresses)

    async def add(self, address: str, reason: str) -> None:
        """See the port."""
        await (await self._port()).add(address, reason)


class LateNotifications:
    """The port `Notifications` over a database that may still be away."""

    def __init__(self, port: Callable[[], Awaitable[Notifications]]) -> None:
        """`port` returns the port, or raises StorageAwayError."""
        self._port = port

    async def add(self, notice: Notice, keys: Mapping[str, str]) -> Told:
        """See the port."""
        return await (await self._port()).add(notice, keys)

    async def unread(self, user_ids: Sequence[str]) -> dict[str, int]:
        """See the port."""
        return await (await self._port()).unread(user_ids)


class LatePreferences:
    """The port `Preferences` over a database that may still be away."""

    def __init__(self, port: Callable[[], Awaitable[Preferences]]) -> None:
        """`port` returns the port, or raises StorageAwayError."""
        self._port = port

    async def of_users(self, user_ids: Collection[str], type_: str | None) -> Mapping[str, Sequence[Preference]]:
        """See the port."""
        return await (await self._port()).of_users(user_ids, type_)


class LateOutbox:
    """The port `Outbox` over a database that may still be away."""

    def __init__(self, port: Callable[[], Awaitable[Outbox]]) -> None:
        """`port` returns the port, or raises StorageAwayError."""
        self._port = port

    @asynccontextmanager
    async def round(self) -> AsyncIterator[Round | None]:
        """See the port."""
        async with (await self._port()).round() as round_:
            yield round_

    async def backlog(self) -> Backlog:
        """See the port."""
        return await (await self._port()).backlog()

    async def clear(self, age: float) -> int:
        """See the port."""
        return await (await self._port()).clear(age)

    async def replay(self, ids: Sequence[int]) -> int:
        """See the port."""
        return await (await self._port()).replay(ids)

    async def skip(self, ids: Sequence[int]) -> int:
        """See the port."""
        return await (await self._port()).skip(ids)

    async def heard(self, channel: str) -> AsyncGenerator[None]:
        """See the port."""
        async with aclosing((await self._port()).heard(channel)) as found:
            async for _ in found:
                yield


class LateSearchRows:
    """The port `SearchRows` over a database that may still be away."""

    def __init__(self, port: Callable[[], Awaitable[SearchRows]]) -> None:
        """`port` returns the port, or raises StorageAwayError."""
        self._port = port

    async def with_ids(self, entity: str, ids: Sequence[str]) -> dict[str, SearchRow]:
        """See the port."""
        return await (await self._port()).with_ids(entity, ids)

    async def page(self, entity: str, after: str | None, limit: int, span: Span) -> list[SearchRow]:
        """See the port."""
        return await (await self._port()).page(entity, after, limit, span)

    async def count(self, entity: str, span: Span) -> tuple[int, int] | None:
        """See the port."""
        return await (await self._port()).count(entity, span)


class LateExports:
    """The port `Exports` over a database that may still be away."""

    def __init__(self, port: Callable[[], Awaitable[Exports]]) -> None:
        """`port` returns the port, or raises StorageAwayError."""
        self._port = port

    @asynccontextmanager
    async def open(self, request: ExportRequest) -> AsyncIterator[Export]:
        """See the port."""
        async with (await self._port()).open(request) as export:
            yield export


class LateOldRows:
    """The port `OldRows` over a database that may still be away."""

    def __init__(self, port: Callable[[], Awaitable[OldRows]]) -> None:
        """`port` returns the port, or raises StorageAwayError."""
        self._port = port

    async def count(self, age: float, most: int) -> int:
        """See the port."""
        return await (await self._port()).count(age, most)

    async def first(self, age: float, limit: int) -> list[str]:
        """See the port."""
        return await (await self._port()).first(age, limit)

    async def delete(self, age: float, limit: int) -> int:
        """See the port."""
        return await (await self._port()).delete(age, limit)


class LateCacheViews:
    """The port `CacheViews` over a database that may still be away."""

    def __init__(self, port: Callable[[], Awaitable[CacheViews]]) -> None:
        """`port` returns the port, or raises StorageAwayError."""
        self._port = port

    async def read(self, name: str, most: int) -> str | None:
        """See the port."""
        return await (await self._port()).read(name, most)
