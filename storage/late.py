"""The database of a worker that has started without it: opened by whoever asks first once it is there."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from storage.errors import SchemaError, StorageAwayError, StorageUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from storage.database import Database
    from storage.ports import Avatars, Files, Subscription, Subscriptions

PAUSE = 5.0  # seconds between tries to open it, however many jobs ask


@dataclass(frozen=True)
class Opened:
    """A database, and the ports over it."""

    database: Database
    subscriptions: Subscriptions
    files: Files
    avatars: Avatars


class Late:
    """Opens once, and tries again while it is away."""

    def __init__(self, open_: Callable[[], Awaitable[Opened]], clock: Callable[[], float] = time.monotonic) -> None:
        """`open_` raises StorageAwayError, StorageUnavailableError or SchemaError."""
        self._open = open_
        self._clock = clock
        self._opened: Opened | None = None
        self._failed: tuple[str, float] | None = None
        self._turn = asyncio.Lock()

    async def open(self) -> None:
        """Open it. Raises what the opening raises: at the start, a fault that takes a person ends the process."""
        try:
            self._opened = await self._open()
        except (StorageAwayError, StorageUnavailableError, SchemaError) as error:
            self._failed = str(error), self._clock()
            raise

    async def get(self) -> Opened:
        """What is open. Raises StorageAwayError, whatever is wrong: a worker that runs waits for a person as well."""
        if self._opened is None:
            async with self._turn:
                await self._try()
        if self._opened is None:
            raise StorageAwayError(self._failed[0] if self._failed else "the database is closed")
        return self._opened

    async def close(self) -> None:
        """Close it, if it is open."""
        if self._opened is not None:
            await self._opened.database.close()

    async def check(self) -> None:
        """See whether it answers. Raises StorageAwayError."""
        await (await self.get()).database.check()

    async def check_writes(self) -> None:
        """See whether it takes writes. Raises StorageAwayError."""
        await (await self.get()).database.check_writes()

    async def _try(self) -> None:
        is_recent = self._failed is not None and self._clock() - self._failed[1] < PAUSE
        if self._opened is None and not is_recent:
            try:
                await self.open()
            except (StorageUnavailableError, SchemaError) as error:
                raise StorageAwayError(str(error)) from None


class LateSubscriptions:
    """The port `Subscriptions`."""

    def __init__(self, late: Late) -> None:
        """Over a database that may come."""
        self._late = late

    async def of_user(self, user_id: str) -> list[Subscription]:
        """See the port."""
        return await (await self._late.get()).subscriptions.of_user(user_id)

    async def with_ids(self, ids: Sequence[str]) -> list[Subscription]:
        """See the port."""
        return await (await self._late.get()).subscriptions.with_ids(ids)

    async def page(self, after: str | None, limit: int, user_ids: Sequence[str] | None = None) -> list[Subscription]:
        """See the port."""
        return await (await self._late.get()).subscriptions.page(after, limit, user_ids)

    async def last(self, limit: int, user_ids: Sequence[str] | None = None) -> list[Subscription]:
        """See the port."""
        return await (await self._late.get()).subscriptions.last(limit, user_ids)

    async def count(self) -> int:
        """See the port."""
        return await (await self._late.get()).subscriptions.count()

    async def prune(self, subscriptions: Sequence[Subscription]) -> int:
        """See the port."""
        return await (await self._late.get()).subscriptions.prune(subscriptions)


class LateFiles:
    """The port `Files`."""

    def __init__(self, late: Late) -> None:
        """Over a database that may come."""
        self._late = late

    async def check_owner(self, file_id: str, user_id: str) -> None:
        """See the port."""
        await (await self._late.get()).files.check_owner(file_id, user_id)

    async def mark_processing(self, file_id: str) -> None:
        """See the port."""
        await (await self._late.get()).files.mark_processing(file_id)

    async def mark_processed(self, file_id: str, values: dict[str, Any]) -> None:
        """See the port."""
        await (await self._late.get()).files.mark_processed(file_id, values)

    async def mark_failed(self, file_id: str, user_id: str, reason: str) -> None:
        """See the port."""
        await (await self._late.get()).files.mark_failed(file_id, user_id, reason)


class LateAvatars:
    """The port `Avatars`."""

    def __init__(self, late: Late) -> None:
        """Over a database that may come."""
        self._late = late

    async def update(self, user_id: str, url: str) -> None:
        """See the port."""
        await (await self._late.get()).avatars.update(user_id, url)
