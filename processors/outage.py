"""An outage of storage is no fault of a job: it waits, and no attempt is counted."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from queue_lib.errors import SnoozeError
from storage.errors import StorageAwayError

if TYPE_CHECKING:
    from collections.abc import Iterator

PAUSE = 15.0  # seconds


@contextmanager
def outages_put_off() -> Iterator[None]:
    """Turn StorageAwayError into SnoozeError: the job runs again in 15 seconds, however long the outage lasts."""
    try:
        yield
    except StorageAwayError as error:
        raise SnoozeError(str(error), PAUSE) from error
