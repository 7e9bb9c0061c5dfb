"""Fakes for unit tests of notifications: rows and addresses in memory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from processors.notifications.dependencies import NotificationDependencies
from processors.notifications.payload import NotificationPayload, NotificationResult
from processors.notifications.processor import UserNotification
from storage.ports import Notice, Told
from tests.support.fakes import FakeContext, make_job

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence


@dataclass
class FakeNotifications:
    """The port: rows by their key. A user called `stranger` is unknown, and `busy` has an unread row of each key."""

    rows: dict[str, tuple[str, Notice]] = field(default_factory=dict)
    fault: Exception | None = None

    async def add(self, notice: Notice, keys: Mapping[str, str]) -> Told:
        """See the port."""
        if self.fault is not None:
            raise self.fault
        known = {user: key for user, key in keys.items() if user != "stranger"}
        told = {user: key for user, key in known.items() if user != "busy" or notice.dedupe_key is None}
        for user, key in told.items():
            self.rows.setdefault(key, (user, notice))
        return Told(
            {user: f"row-{list(self.rows).index(key)}" for user, key in told.items()}, frozenset(keys.keys() - known)
        )

    async def unread(self, user_ids: Sequence[str]) -> dict[str, int]:
        """See the port."""
        return {user: sum(of == user for of, _ in self.rows.values()) for user in user_ids}


@dataclass
class FakeAddresses:
    """The port."""

    known: dict[str, str] = field(default_factory=dict)

    async def of_users(self, user_ids: Collection[str]) -> dict[str, str]:
        """See the port."""
        return {user: self.known[user] for user in user_ids if user in self.known}


class World:
    """A job's context, which several runs share, and what its processor works with."""

    def __init__(self, *, addresses: dict[str, str] | None = None, app_url: str | None = None) -> None:
        """`addresses` by user, if the app has a table of them."""
        self.notifications = FakeNotifications()
        self.context = FakeContext(make_job(name="user-notification", queue="notifications"))
        self.processor = UserNotification(
            NotificationDependencies(
                self.notifications, None if addresses is None else FakeAddresses(addresses), app_url
            )
        )

    async def run(self, **data: Any) -> NotificationResult:
        """One run of a job with this payload: a title is added, and a user if it has none."""
        whole = {"title": "Hello", **({} if "userIds" in data else {"userId": "ada"}), **data}
        self.context.job = replace(self.context.job, data=whole)
        return await self.processor(NotificationPayload.model_validate(whole), self.context)
