"""A check of the newest subscriptions at the start: the table may be there, and its keys unreadable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from processors.push.keys import InvalidKeysError, keys_of
from storage.errors import StatementRefusedError, StorageAwayError

if TYPE_CHECKING:
    from storage.ports import Subscription, Subscriptions

# Rows. More than one, because any user may have stored a bad one.
NEWEST = 20
_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


async def check_newest_keys(subscriptions: Subscriptions) -> None:
    """Log an error if none of the newest keys can be read. A database that is away is reported elsewhere."""
    try:
        faults = [_fault(row) for row in await subscriptions.last(NEWEST)]
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
