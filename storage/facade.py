"""All of storage, opened and checked in one step."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Self

from storage.avatars import NoAvatars, SqlAvatars
from storage.database import Database
from storage.errors import SchemaError, StorageAwayError, StorageUnavailableError
from storage.files import SqlFiles
from storage.late import Late, LateAvatars, LateFiles, LateSubscriptions, Opened
from storage.objects.factory import open_store
from storage.subscriptions import SqlSubscriptions
from storage.tables import AppTable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from storage.objects.base import ObjectStore
    from storage.ports import Avatars, Files, Subscriptions
    from storage.settings import StorageSettings


@dataclass(frozen=True)
class Storage:
    """The ports of storage, over one database and one object store. `away` says what did not answer at the start."""

    subscriptions: Subscriptions
    files: Files
    avatars: Avatars
    objects: ObjectStore
    away: tuple[str, ...]
    _late: Late

    @classmethod
    async def open(cls, settings: StorageSettings) -> Self:
        """Connect and check; what is away is opened when it comes.

        Raises StorageUnavailableError, with a line for each fault of database and store, if one is set up wrongly.
        """
        objects, late = open_store(settings), Late(partial(_open, settings))
        ends = await asyncio.gather(late.open(), objects.check(), return_exceptions=True)
        faults = [end for end in ends if isinstance(end, BaseException)]
        if all(isinstance(fault, StorageAwayError) for fault in faults):
            away = tuple(str(fault) for fault in faults)
            return cls(LateSubscriptions(late), LateFiles(late), LateAvatars(late), objects, away, late)
        await objects.close()
        await late.close()
        raise StorageUnavailableError("\n".join(str(fault) for fault in faults))

    def checks(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """What to ask whether the servers still answer, by name; each raises a StorageError."""
        return {
            "database": self._late.check,
            "database_writes": self._late.check_writes,
            "storage": self.objects.check,
        }

    async def close(self) -> None:
        """Close the connections."""
        await self.objects.close()
        await self._late.close()


async def _open(settings: StorageSettings) -> Opened:
    database = await Database.open(settings, set(AppTable))
    try:
        avatars = SqlAvatars(database, settings.avatar_column) if settings.avatar_table else NoAvatars()
        return Opened(database, SqlSubscriptions(database), SqlFiles(database), avatars)
    except SchemaError:
        await database.close()
        raise
