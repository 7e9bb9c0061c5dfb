"""What features share: each is opened by the first that asks, and closed as the worker ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from processors.outbound import HttpClient
    from processors.sandbox.shared import SharedSandbox
    from queue_lib.jobs.toolbox import Cache, Database
    from storage.objects.base import ObjectStore
    from storage.ports import (
        Avatars,
        Exports,
        Files,
        Notifications,
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

    def objects(self) -> ObjectStore:
        """The object store."""

    def engine(self) -> Database:
        """The database for any statement: opened when it is used first. Raises StorageUnavailableError without one."""


@dataclass(frozen=True, slots=True)
class Tools:
    """The tools of one process."""

    storage: Storage
    http: HttpClient
    cache: Cache
    sandbox: SharedSandbox
