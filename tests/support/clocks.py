"""A clock that is wrong, as that of a machine without NTP."""

from __future__ import annotations

import contextlib
import datetime as dt
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def clock_ahead(seconds: float) -> Iterator[None]:
    """Inside, our code's clock and RQ's are this many seconds ahead, or behind."""
    real = time.time

    class Shifted(dt.datetime):
        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> Any:
            return dt.datetime.fromtimestamp(real() + seconds, tz)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: real() + seconds)
        patch.setattr("rq.utils.datetime", SimpleNamespace(datetime=Shifted, timezone=dt.timezone))
        yield
