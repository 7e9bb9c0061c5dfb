"""A look at the newest subscriptions at the start: a table may be there, and its keys be none that can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from processors.push.keys import InvalidKeysError, keys_of
from storage.errors import StatementRefusedError, StorageAwayError

if TYPE_CHECKING:
    from storage.ports import Subscription, Subscriptions

# Not one alone: anybody may have stored it.
LOOKED_AT = 20
_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


async def look(subscriptions: Subscriptions) -> None:
    """Tell the log if the keys of all these can't be read. A database that is away is told by others."""
    try:
        faults = [_fault(row) for row in await subscriptions.last(LOOKED_AT)]
    except StorageAwayError:
        return
    except StatementRefusedError as error:
        faults = [str(error)]
    if faults and all(faults):
        _log.error("subscriptions_unreadable", subscriptions=len(faults), reason=faults[-1])


def _fault(row: Subscription) -> str | None:
    try:
        keys_of(row)
    except InvalidKeysError as error:
        return str(error)
    return None
