"""The database of a worker that started without it. The first call after it is back opens it."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from storage.errors import SchemaError, StorageAwayError, StorageUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection

    from storage.database import Database
    from storage.ports import (
        Addresses,
        Avatars,
        Files,
        Locales,
        Notice,
        Notifications,
        Preference,
        Preferences,
        Scalar,
        Subscription,
        Subscriptions,
        Suppressions,
        Told,
    )
    from storage.tables import AppTable, Wanted

PortT = TypeVar("PortT")
PAUSE = 5.0  # seconds between attempts to open it, for all jobs together


class Late:
    """A database and its ports. It is opened once, and tried again while it is away."""

    def __init__(
        self,
        open_: Callable[[Mapping[AppTable, Wanted]], Awaitable[Database]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`open_` takes the tables, and raises StorageAwayError, StorageUnavailableError or SchemaError."""
        self._open = open_
        self._clock = clock
        self._wanted: dict[AppTable, Wanted] = {}
        self._makers: dict[AppTable, Callable[[Database], Any]] = {}
        self._ports: dict[AppTable, Any] = {}
        self._database: Database | None = None
        self._failed: tuple[str, float] | None = None
        self._turn = asyncio.Lock()

    def want(
        self, table: AppTable, wanted: Wanted, make: Callable[[Database], PortT]
    ) -> Callable[[], Awaitable[PortT]]:
        """Ask for a table before `open`. Returns a function that returns its port, or raises as `get` does."""
        self._wanted[table], self._makers[table] = wanted, make

        async def port() -> PortT:
            await self.get()
            made: PortT = self._ports[table]
            return made

        return port

    @property
    def is_wanted(self) -> bool:
        """Whether any table was asked for."""
        return bool(self._wanted)

    async def open(self) -> None:
        """Open it at start. Raises the error of opening: a fault that somebody must correct ends the process."""
        try:
            database = await self._open(self._wanted)
            await self._make_ports(database)
        except (StorageAwayError, StorageUnavailableError, SchemaError) as error:
            self._failed = str(error), self._clock()
            raise
        self._database = database

    async def get(self) -> Database:
        """The open database. Raises StorageAwayError for every fault: a running worker waits for corrections, too."""
        if self._database is None:
            async with self._turn:
                await self._try()
        if self._database is None:
            raise StorageAwayError(self._failed[0] if self._failed else "the database is closed")
        return self._database

    async def close(self) -> None:
        """Close it if it is open."""
        if self._database is not None:
            await self._database.close()

    async def check(self) -> None:
        """Raise StorageAwayError if it does not answer."""
        await (await self.get()).check()

    async def check_writes(self) -> None:
        """Raise StorageAwayError if it takes no writes."""
        await (await self.get()).check_writes()

    async def _make_ports(self, database: Database) -> None:
        try:
            self._ports = {table: make(database) for table, make in self._makers.items()}
        except SchemaError:
            await database.close()
            raise

    async def _try(self) -> None:
        is_recent = self._failed is not None and self._clock() - self._failed[1] < PAUSE
        if self._database is None and not is_recent:
            try:
                await self.open()
            except (StorageUnavailableError, SchemaError) as error:
                raise StorageAwayError(str(error)) from None


class LateEngine:
    """A database that may come, for any statement."""

    def __init__(self, late: Late) -> None:
        """It is opened by the first statement, if nothing else has."""
        self._late = late

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A transaction. Raises StorageAwayError while the database can't be opened, or if the connection is cut."""
        database = await self._late.get()
        with database.cuts_told():
            async with database.transactions.begin() as connection:
                yield connection

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[AsyncConnection]:
        """A connection. Raises StorageAwayError while the database can't be opened, or if the connection is cut."""
        database = await self._late.get()
        with database.cuts_told():
            async with database.transactions.connect() as connection:
                yield connection


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


class LateLocales:
    """The port `Locales` over a database that may still be away."""

    def __init__(self, port: Callable[[], Awaitable[Locales]]) -> None:
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


class LateAddresses:
    """The port `Addresses` over a database that may still be away."""

    def __init__(self, port: Callable[[], Awaitable[Addresses]]) -> None:
        """`port` returns the port, or raises StorageAwayError."""
        self._port = port

    async def of(self, user_ids: Sequence[str]) -> dict[str, str]:
        """See the port."""
        return await (await self._port()).of(user_ids)


class LatePreferences:
    """The port `Preferences` over a database that may still be away."""

    def __init__(self, port: Callable[[], Awaitable[Preferences]]) -> None:
        """`port` returns the port, or raises StorageAwayError."""
        self._port = port

    async def of_users(self, user_ids: Collection[str], type_: str | None) -> Mapping[str, Sequence[Preference]]:
        """See the port."""
        return await (await self._port()).of_users(user_ids, type_)
