"""The storage that a process's features ask for, opened and checked in one step."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from storage.avatars import NoAvatars, SqlAvatars
from storage.cache_views import SqlCacheViews
from storage.columns import subscription_table
from storage.conditions import parse_where
from storage.database import Database
from storage.errors import StorageAwayError, StorageUnavailableError
from storage.export_postgres import PostgresExports
from storage.export_sqlite import SqliteExports
from storage.files import SqlFiles
from storage.late import Late, LateEngine
from storage.late_ports import (
    LateAvatars,
    LateCacheViews,
    LateExports,
    LateFiles,
    LateNotifications,
    LateOldRows,
    LateOutbox,
    LatePreferences,
    LateSearchRows,
    LateSubscriptions,
    LateSuppressions,
    LateUserTexts,
)
from storage.models import Avatar, Dated, EmailSuppression, File, Notification, NotificationPreference, User
from storage.models import Outbox as OutboxTable
from storage.notifications import SqlNotifications
from storage.objects.factory import open_store
from storage.objects.local import LocalStore
from storage.objects.location import LocalLocation
from storage.old_rows import SqlOldRows
from storage.outbox import SqlOutbox
from storage.preferences import SqlPreferences
from storage.search_rows import SqlSearchRows
from storage.subscriptions import SqlSubscriptions
from storage.suppressions import NoSuppressions, SqlSuppressions
from storage.tables import AppTable, Wanted
from storage.user_texts import SqlUserTexts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from storage.objects.base import Clearable, ObjectStore
    from storage.ports import (
        Avatars,
        CacheViews,
        Exports,
        Files,
        Notifications,
        OldRows,
        Outbox,
        Preferences,
        SearchRows,
        Subscriptions,
        Suppressions,
        UserTexts,
    )
    from storage.settings import DatabaseSettings, ObjectsSettings


class Storage:
    """One database and one object store. `connect` opens and checks what was asked for before it."""

    def __init__(self, database: DatabaseSettings | None = None, objects: ObjectsSettings | None = None) -> None:
        """Settings are None if no served feature names them."""
        self._late = Late(partial(Database.open, database.database_url if database else ""))
        self._has_database = database is not None
        self._settings = objects
        self._objects: ObjectStore | None = None
        self._exported: Late | None = None

    def subscriptions(self, table: str, columns: str, where: str = "") -> Subscriptions:
        """The push subscriptions. `columns` and `where` are as in PUSH_SUBSCRIPTION_COLUMNS and PUSH_WHERE_COLUMNS."""
        wanted = subscription_table(table, columns)
        make = partial(SqlSubscriptions, where=parse_where(where))
        return LateSubscriptions(self._late.want(AppTable.PUSH_SUBSCRIPTION, wanted, make))

    def locales(self, table: str | None, column: str) -> UserTexts | None:
        """The users' locales, if there is a table that has them."""
        return self._user_texts(AppTable.LOCALE, table, column, "PUSH_LOCALE_COLUMN")

    def files(self, table: str) -> Files:
        """The uploaded files."""
        return LateFiles(self._late.want(AppTable.FILE, Wanted.usual(File, table), SqlFiles))

    def avatars(self, table: str | None, column: str) -> Avatars:
        """The users' avatars. Without a table they are not stored."""
        if table is None:
            return NoAvatars()
        make = partial(SqlAvatars, column=column)
        return LateAvatars(self._late.want(AppTable.AVATAR, Wanted.usual(Avatar, table), make))

    def suppressions(self, table: str | None) -> Suppressions:
        """The addresses that are not written to. Without a table there are none."""
        if table is None:
            return NoSuppressions()
        wanted = Wanted.usual(EmailSuppression, table)
        return LateSuppressions(self._late.want(AppTable.EMAIL_SUPPRESSION, wanted, SqlSuppressions))

    def notifications(self, table: str) -> Notifications:
        """What the app tells its users."""
        return LateNotifications(
            self._late.want(AppTable.NOTIFICATION, Wanted.usual(Notification, table), SqlNotifications)
        )

    def addresses(self, table: str | None, column: str) -> UserTexts | None:
        """The users' e-mail addresses, if there is a table that has them."""
        return self._user_texts(AppTable.NOTIFICATION_USER, table, column, "NOTIFICATION_EMAIL_COLUMN")

    def preferences(self, table: str) -> Preferences:
        """What users want to receive."""
        wanted = Wanted.usual(NotificationPreference, table)
        return LatePreferences(self._late.want(AppTable.PREFERENCE, wanted, SqlPreferences))

    def outbox(self, table: str) -> Outbox:
        """What the app has written into its outbox."""
        return LateOutbox(self._late.want(AppTable.OUTBOX, Wanted.usual(OutboxTable, table), SqlOutbox))

    def search_rows(self) -> SearchRows:
        """The rows that are to be found by search."""
        return LateSearchRows(self._late.want_database(SqlSearchRows))

    def exports(self, replica: str | None = None) -> Exports:
        """The views that may be exported: of the database at the URL `replica`, or of the app's own."""
        self._exported = self._late
        if replica is not None:
            self._exported = Late(partial(Database.open, replica, setting="EXPORT_DATABASE_URL"))
        return LateExports(self._exported.want_database(_exports_of))

    def old_logs(self, table: str, column: str) -> OldRows:
        """The rows of a log that are old; `column` has their time."""
        return self._old_rows(AppTable.LOGS, table, column)

    def expired_sessions(self, table: str, column: str) -> OldRows:
        """The sessions whose end is long past; `column` has it."""
        return self._old_rows(AppTable.SESSIONS, table, column)

    def _old_rows(self, app_table: AppTable, table: str, column: str) -> OldRows:
        wanted = Wanted(Dated, table, {"at": column}, ["at"])
        return LateOldRows(self._late.want(app_table, wanted, partial(SqlOldRows, table=app_table)))

    def cache_views(self) -> CacheViews:
        """The views for the app's cache."""
        return LateCacheViews(self._late.want_database(SqlCacheViews))

    def directory(self, path: Path) -> Clearable:
        """A directory of this machine: the keys of its files begin with its name."""
        return LocalStore(LocalLocation(path.parent))

    def objects(self) -> ObjectStore:
        """The object store. All callers get the same one."""
        if self._settings is None:
            msg = "STORAGE_URL: not set, and a job uses the object store"
            raise StorageUnavailableError(msg)
        if self._objects is None:
            self._objects = open_store(self._settings)
        return self._objects

    def engine(self) -> LateEngine:
        """The database for any statement: opened when it is used first. Raises StorageUnavailableError without one."""
        if not self._has_database:
            msg = "DATABASE_URL: not set, and a job uses the database"
            raise StorageUnavailableError(msg)
        return LateEngine(self._late)

    def _user_texts(self, app_table: AppTable, table: str | None, column: str, setting: str) -> UserTexts | None:
        if table is None:
            return None
        make = partial(SqlUserTexts, table=app_table, column=column, setting=setting)
        return LateUserTexts(self._late.want(app_table, Wanted.usual(User, table), make))

    async def connect(self) -> tuple[str, ...]:
        """Connect and check. Returns the reasons of servers that do not answer; they are opened when they are back.

        Raises StorageUnavailableError, with one line for each fault, if settings are wrong.
        """
        opening = [late.open() for late in self._databases() if late.is_wanted]
        checking = [self._objects.check()] if self._objects else []
        ends = await asyncio.gather(*opening, *checking, return_exceptions=True)
        faults = [end for end in ends if isinstance(end, BaseException)]
        if not all(isinstance(fault, StorageAwayError) for fault in faults):
            raise StorageUnavailableError("\n".join(str(fault) for fault in faults))
        return tuple(str(fault) for fault in faults)

    def checks(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """Checks of the servers by name. Each raises a StorageError if its server can't serve."""
        database = {"database": self._late.check, "database_writes": self._late.check_writes}
        return {
            **(database if self._late.is_wanted else {}),
            **({"export_database": self._exported.check} if self._exported else {}),
            **({"storage": self._objects.check} if self._objects else {}),
        }

    async def close(self) -> None:
        """Close the connections."""
        if self._objects:
            await self._objects.close()
        for late in self._databases():
            await late.close()

    def _databases(self) -> list[Late]:
        """Those that were asked for, and the one that any statement may have opened."""
        return list(dict.fromkeys([self._late, *([self._exported] if self._exported else [])]))


def _exports_of(database: Database) -> Exports:
    return SqliteExports(database) if database.is_sqlite else PostgresExports(database)
