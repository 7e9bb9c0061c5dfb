"""A chore's loop, without a broker."""

from __future__ import annotations

import pytest

from queue_lib.chore import Chore
from queue_lib.errors import BrokerUnavailableError
from queue_lib.runner.housekeeping import keep


async def test_a_chore_runs_at_once_and_then_at_its_interval() -> None:
    """Housekeeping starts with the process, skips a broker that is away, and goes on."""
    runs, pauses = 0, []

    async def run() -> None:
        nonlocal runs
        runs += 1
        if runs == 2:
            raise BrokerUnavailableError("away")  # noqa: EM101
        if runs == 4:
            raise ZeroDivisionError

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    with pytest.raises(ZeroDivisionError):
        await keep(Chore("tidy up", 15.0, run), sleep)
    assert [15.0, 15.0, 15.0] == pauses
