"""Opens exports: their processor, over the app's views and the object store."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from processors.exports.data_export import DataExport
from processors.exports.dependencies import ExportDependencies
from processors.exports.feature import NAMES
from processors.exports.settings import ExportSettings
from processors.exports.sheets import TASK
from processors.reach.settings import AddressSettings
from queue_lib.feature import Opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from processors.tools import Tools
    from queue_lib.feature import Served


@asynccontextmanager
async def opened(served: Served, tools: Tools) -> AsyncIterator[Opened]:
    """Exports, until the worker ends. The caller closes the tools."""
    settings, of_users = served.of(ExportSettings), served.of(AddressSettings)
    sandbox = tools.sandbox.open(TASK)
    dependencies = ExportDependencies(
        exports=tools.storage.exports(settings.export_database_url),
        objects=tools.storage.objects(),
        sandbox=sandbox,
        addresses=tools.storage.addresses(of_users.notification_user_table, of_users.notification_email_column),
        max_bytes=settings.export_max_bytes,
        link_expiry=settings.export_link_expiry,
    )
    yield Opened(processors=dict.fromkeys(NAMES, DataExport(dependencies)), holds={"disk": sandbox.check})
