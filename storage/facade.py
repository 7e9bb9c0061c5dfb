"""All of storage that the features of a process ask for, opened and checked in one step."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from storage.avatars import NoAvatars, SqlAvatars
from storage.columns import subscription_table
from storage.database import Database
from storage.errors import StorageAwayError, StorageUnavailableError
from storage.files import SqlFiles
from storage.late import Late, LateAvatars, LateFiles, LateSubscriptions
from storage.models import Avatar, File
from storage.objects.factory import open_store
from storage.subscriptions import SqlSubscriptions
from storage.tables import AppTable, Wanted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from storage.objects.base import ObjectStore
    from storage.ports import Avatars, Files, Subscriptions
    from storage.settings import DatabaseSettings, ObjectsSettings


class Storage:
    """One database and one object store. What is asked for before `connect` is connected, checked and closed."""

    def __init__(self, database: DatabaseSettings | None = None, objects: ObjectsSettings | None = None) -> None:
        """Take the settings of what there is."""
        self._late = Late(partial(Database.open, database.database_url if database else ""))
        self._settings = objects
        self._objects: ObjectStore | None = None

    def subscriptions(self, table: str, columns: str) -> Subscriptions:
        """The push subscriptions. `columns` are as in PUSH_SUBSCRIPTION_COLUMNS."""
        wanted = subscription_table(table, columns)
        return LateSubscriptions(self._late.want(AppTable.PUSH_SUBSCRIPTION, wanted, SqlSubscriptions))

    def files(self, table: str) -> Files:
        """The uploaded files."""
        return LateFiles(self._late.want(AppTable.FILE, Wanted.usual(File, table), SqlFiles))

    def avatars(self, table: str | None, column: str) -> Avatars:
        """The users' avatars; without a table they are kept nowhere."""
        if table is None:
            return NoAvatars()
        make = partial(SqlAvatars, column=column)
        return LateAvatars(self._late.want(AppTable.AVATAR, Wanted.usual(Avatar, table), make))

    def objects(self) -> ObjectStore:
        """The object store: one, whoever asks."""
        if self._settings is None:
            msg = "STORAGE_URL was not read: a feature that has objects names ObjectsSettings in its manifest"
            raise StorageUnavailableError(msg)
        if self._objects is None:
            self._objects = open_store(self._settings)
        return self._objects

    async def connect(self) -> tuple[str, ...]:
        """Connect and check; returns what does not answer: it is opened when it comes.

        Raises StorageUnavailableError, with a line for each fault of database and store, if one is set up wrongly.
        """
        opening = [self._late.open()] if self._late.is_wanted else []
        checking = [self._objects.check()] if self._objects else []
        ends = await asyncio.gather(*opening, *checking, return_exceptions=True)
        faults = [end for end in ends if isinstance(end, BaseException)]
        if not all(isinstance(fault, StorageAwayError) for fault in faults):
            raise StorageUnavailableError("\n".join(str(fault) for fault in faults))
        return tuple(str(fault) for fault in faults)

    def checks(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """What to ask whether the servers still answer, by name; each raises a StorageError."""
        database = {"database": self._late.check, "database_writes": self._late.check_writes}
        return {
            **(database if self._late.is_wanted else {}),
            **({"storage": self._objects.check} if self._objects else {}),
        }

    async def close(self) -> None:
        """Close the connections."""
        if self._objects:
            await self._objects.close()
        await self._late.close()
