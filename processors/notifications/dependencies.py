"""What the processor of notifications works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from processors.reach.reach import Reach
    from storage.ports import Addresses, Notifications


@dataclass(frozen=True, slots=True)
class NotificationDependencies:
    """The app's rows. `has_addresses`: a table has the users' e-mail addresses. `app_url`: for links in e-mails."""

    notifications: Notifications
    addresses: Addresses
    has_addresses: bool
    app_url: str | None
    reach: Reach | None = None
