"""Opens notifications: their processor, over the app's rows."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from processors.notifications.dependencies import NotificationDependencies
from processors.notifications.feature import NAMES
from processors.notifications.processor import UserNotification
from processors.notifications.settings import NotificationSettings
from processors.reach.reach import facts_of_reach, open_reach
from processors.reach.settings import AddressSettings
from queue_lib.feature import Opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from processors.tools import Tools
    from queue_lib.feature import Served


@asynccontextmanager
async def opened(served: Served, tools: Tools) -> AsyncIterator[Opened]:
    """Notifications, until the worker ends. The caller closes the tools."""
    settings, of_users = served.of(NotificationSettings), served.of(AddressSettings)
    dependencies = NotificationDependencies(
        notifications=tools.storage.notifications(settings.notification_table),
        addresses=tools.storage.addresses(of_users.notification_user_table, of_users.notification_email_column),
        app_url=settings.notification_app_url,
        reach=open_reach(tools.storage, served),
    )
    yield Opened(
        processors=dict.fromkeys(NAMES, UserNotification(dependencies)),
        facts={
            "notificationTable": settings.notification_table,
            "notificationUserTable": of_users.notification_user_table or "",
            "notificationEmailColumn": of_users.notification_email_column,
            **facts_of_reach(served),
        },
    )
