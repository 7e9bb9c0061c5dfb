"""All of storage, opened and checked in one step."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from storage.avatars import NoAvatars, SqlAvatars
from storage.database import Database
from storage.errors import SchemaError, StorageUnavailableError
from storage.files import SqlFiles
from storage.objects.factory import open_store
from storage.subscriptions import SqlSubscriptions
from storage.tables import AppTable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from storage.objects.base import ObjectStore
    from storage.ports import Avatars
    from storage.settings import StorageSettings


@dataclass(frozen=True)
class Storage:
    """The ports of storage, over one database and one object store."""

    subscriptions: SqlSubscriptions
    files: SqlFiles
    avatars: Avatars
    objects: ObjectStore
    _database: Database

    @classmethod
    async def open(cls, settings: StorageSettings) -> Self:
        """Connect and check. Raises StorageUnavailableError with a line for each fault of database and store."""
        objects = open_store(settings)
        opening = Database.open(settings, set(AppTable))
        database, checked = await asyncio.gather(opening, objects.check(), return_exceptions=True)
        faults = [fault for fault in (database, checked) if isinstance(fault, BaseException)]
        if isinstance(database, BaseException) or faults:
            await objects.close()
            if isinstance(database, Database):
                await database.close()
            raise StorageUnavailableError("\n".join(str(fault) for fault in faults))
        try:
            avatars = SqlAvatars(database, settings.avatar_column) if settings.avatar_table else NoAvatars()
        except SchemaError as error:
            await objects.close()
            await database.close()
            raise StorageUnavailableError(str(error)) from error
        return cls(SqlSubscriptions(database), SqlFiles(database), avatars, objects, database)

    def checks(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """What to ask whether the servers still answer, by name; each raises a StorageError."""
        return {
            "database": self._database.check,
            "database_writes": self._database.check_writes,
            "storage": self.objects.check,
        }

    async def close(self) -> None:
        """Close the connections."""
        await self.objects.close()
        await self._database.close()
