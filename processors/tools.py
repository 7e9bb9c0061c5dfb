"""What features share: each is opened by the first that asks, and closed as the worker ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from processors.outbound import HttpClient
    from processors.sandbox.shared import SharedSandbox
    from queue_lib.jobs.toolbox import Cache, Database
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


class Storage(Protocol):
    """The app's database and object store. A feature asks while it opens; they are connected when all have asked."""

    def subscriptions(self, table: str, columns: str, where: str = "") -> Subscriptions:
        """The push subscriptions. `columns` and `where` are as in PUSH_SUBSCRIPTION_COLUMNS and PUSH_WHERE_COLUMNS."""

    def locales(self, table: str | None, column: str) -> UserTexts | None:
        """The users' locales, if there is a table that has them."""

    def files(self, table: str) -> Files:
        """The uploaded files."""

    def avatars(self, table: str | None, column: str) -> Avatars:
        """The users' avatars; without a table they are kept nowhere."""

    def suppressions(self, table: str | None) -> Suppressions:
        """The addresses that are not written to; without a table there are none."""

    def notifications(self, table: str) -> Notifications:
        """What the app tells its users."""

    def addresses(self, table: str | None, column: str) -> UserTexts | None:
        """The users' e-mail addresses, if there is a table that has them."""

    def preferences(self, table: str) -> Preferences:
        """What users want to receive, from this table."""

    def outbox(self, table: str) -> Outbox:
        """What the app has written into its outbox."""

    def search_rows(self) -> SearchRows:
        """The rows that are to be found by search."""

    def exports(self, replica: str | None = None) -> Exports:
        """The views that may be exported: of the database at the URL `replica`, or of the app's own."""

    def old_logs(self, table: str, column: str) -> OldRows:
        """The rows of a log that are old; `column` has their time."""

    def expired_sessions(self, table: str, column: str) -> OldRows:
        """The sessions whose end is long past; `column` has it."""

    def cache_views(self) -> CacheViews:
        """The views for the app's cache."""

    def directory(self, path: Path) -> Clearable:
        """A directory of this machine: the keys of its files begin with its name."""

    def objects(self) -> ObjectStore:
        """The object store."""

    def engine(self) -> Database:
        """The database for any statement: opened when it is used first. Raises StorageUnavailableError without one."""


class AppCache(Protocol):
    """The app's own cache in a Redis: values under the keys that the app reads.

    A key is locked while its value is made; the `token` says by whom. Every call may raise BrokerUnavailableError.
    """

    async def claim(self, key: str, token: str, seconds: float) -> str:
        """Lock a key for so many seconds, unless it is locked. Returns the token that holds it then."""

    async def holder(self, key: str) -> str | None:
        """The token that holds the key, if one does."""

    async def is_done(self, key: str, token: str) -> bool:
        """Whether this token has written the key lately."""

    async def write(self, key: str, token: str, value: bytes, seconds: float) -> bool | None:
        """Keep a value for so many seconds, and unlock the key. Whether it had the same value before.

        None, and nothing is written, if the token holds the key no longer.
        """

    async def release(self, key: str, token: str) -> None:
        """Unlock a key that the token holds."""

    async def look(self, key: str) -> tuple[int, float]:
        """How many bytes a key has, and for how many more seconds; (0, 0.0) if there is none."""

    async def check(self) -> None:
        """Raise if the Redis does not answer."""


@dataclass(frozen=True, slots=True)
class Tools:
    """The tools of one process. `app_cache` is in the Redis of a URL, or in the queues' own."""

    storage: Storage
    http: HttpClient
    cache: Cache
    sandbox: SharedSandbox
    app_cache: Callable[[str | None], AppCache]
