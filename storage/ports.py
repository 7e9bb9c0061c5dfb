"""What processors see of storage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from sqlmodel import SQLModel

if TYPE_CHECKING:
    from collections.abc import Sequence


class Subscription(SQLModel):
    """One device that a user receives pushes on: a row of the app's `PushSubscription` table.

    `endpoint` is a capability URL (whoever has it can push): never log it. `p256dh` and `auth` are base64url.
    """

    id: str
    user_id: str
    endpoint: str
    p256dh: str
    auth: str


class Subscriptions(Protocol):
    """The app's push subscriptions."""

    async def of_user(self, user_id: str) -> list[Subscription]:
        """All subscriptions of a user, oldest id first; an unknown user has none."""

    async def prune(self, subscriptions: Sequence[Subscription]) -> int:
        """Delete the rows that still have that endpoint and key (a re-subscription in between survives).

        Returns how many were deleted.
        """


class Files(Protocol):
    """The app's uploaded files."""

    async def mark_processed(self, file_id: str, values: dict[str, Any]) -> None:
        """Set `processed`, and those of `values` (column name -> value) whose column exists.

        Raises RowNotFoundError.
        """
