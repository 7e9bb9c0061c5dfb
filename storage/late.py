"""The database of a worker that started without it. The first call after it is back opens it."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from storage.errors import SchemaError, StorageAwayError, StorageUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from sqlalchemy.ext.asyncio import AsyncConnection

    from storage.database import Database
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
        self._makers: dict[object, Callable[[Database], Any]] = {}
        self._ports: dict[object, Any] = {}
        self._database: Database | None = None
        self._failed: tuple[str, float] | None = None
        self._turn = asyncio.Lock()

    def want(
        self, table: AppTable, wanted: Wanted, make: Callable[[Database], PortT]
    ) -> Callable[[], Awaitable[PortT]]:
        """Ask for a table before `open`. Returns a function that returns its port, or raises as `get` does."""
        self._wanted[table] = wanted
        return self.want_database(make, table)

    def want_database(self, make: Callable[[Database], PortT], key: object = None) -> Callable[[], Awaitable[PortT]]:
        """Ask for a port that finds its tables by itself, as `want` does."""
        key = make if key is None else key
        self._makers[key] = make

        async def port() -> PortT:
            await self.get()
            made: PortT = self._ports[key]
            return made

        return port

    @property
    def is_wanted(self) -> bool:
        """Whether anything was asked for."""
        return bool(self._makers)

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
            self._ports = {key: make(database) for key, make in self._makers.items()}
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
