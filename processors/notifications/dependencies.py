"""What the processor of notifications works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from processors.reach.reach import Reach
    from storage.ports import Notifications, UserTexts


@dataclass(frozen=True, slots=True)
class NotificationDependencies:
    """The app's rows. `addresses`: of the users' mailboxes, if a table has them. `app_url`: for links in e-mails."""

    notifications: Notifications
    addresses: UserTexts | None
    app_url: str | None
    reach: Reach | None = None
