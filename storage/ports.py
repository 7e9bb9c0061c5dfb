"""What processors see of storage."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)  # not a model: a fan-out reads a million rows, and nobody validates the app's own
class Subscription:
    """One device that a user receives pushes on: a row of the app's `PushSubscription` table.

    `endpoint` is a capability URL (whoever has it can push): never log it. `p256dh` and `auth` are base64url. All
    three are empty where the app left them out. `expires_at` is the browser's `expirationTime`, in seconds since the
    epoch. `stored` is what the row's columns had, by which it is known to be unchanged.
    """

    id: str
    user_id: str
    endpoint: str
    p256dh: str
    auth: str
    expires_at: float | None = None
    stored: tuple[Any, ...] = field(default=(), repr=False, compare=False)


class Subscriptions(Protocol):
    """The app's push subscriptions, those that are on. An id that the database could never hold is one no row has."""

    async def of_user(self, user_id: str) -> list[Subscription]:
        """All subscriptions of a user, oldest id first; an unknown user has none."""

    async def with_ids(self, ids: Sequence[str]) -> list[Subscription]:
        """The subscriptions with these ids (up to 1,000), by id; ids that no row has are left out."""

    async def page(self, after: str | None, limit: int, user_ids: Sequence[str] | None = None) -> list[Subscription]:
        """The next `limit` subscriptions by id, from after the id `after` (None: from the first).

        Of these users (up to 1,000), or of everybody (None).
        """

    async def last(self, limit: int, user_ids: Sequence[str] | None = None) -> list[Subscription]:
        """The last `limit` subscriptions by id, in this order; of whom as in `page`."""

    async def count(self) -> int:
        """How many subscriptions there are, of everybody."""

    async def prune(self, subscriptions: Sequence[Subscription]) -> int:
        """Delete the rows that are as they were read (a re-subscription in between survives).

        If the app has a column for it, they are switched off in place of that. Returns how many were.
        """


class Files(Protocol):
    """The app's uploaded files."""

    async def check_owner(self, file_id: str, user_id: str) -> None:
        """Raise RowNotFoundError if there is no such row, NotOwnerError if its `userId` is another one's.

        A table without that column, and a row that has none, are anybody's.
        """

    async def mark_processing(self, file_id: str) -> None:
        """Take back what the row says of an earlier failure, and set its `status`, where it has columns for that."""

    async def mark_processed(self, file_id: str, values: dict[str, Any]) -> None:
        """Set `processed`, and those of `values` (column name -> value) whose column exists.

        A row that has them already is not touched. Raises RowNotFoundError.
        """

    async def mark_failed(self, file_id: str, user_id: str, reason: str) -> None:
        """Say in the row that its job is dead, where it has columns for that: `error`, `failedAt`, `status`.

        A row that is missing or another user's (see `check_owner`) is left alone.
        """


class Avatars(Protocol):
    """Where the app keeps a user's avatar."""

    async def update(self, user_id: str, url: str) -> None:
        """Set the user's avatar, if the app has a column for it. Raises RowNotFoundError."""
