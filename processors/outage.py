"""Put jobs off while storage is away, without counting an attempt."""

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
    """Turn StorageAwayError into SnoozeError: the job runs again every 15 seconds until the outage ends."""
    try:
        yield
    except StorageAwayError as error:
        raise SnoozeError(str(error), PAUSE) from error
