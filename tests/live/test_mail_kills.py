"""Two hundred workers are killed while they send a mail, at each step of it: `make kills`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tests.support.mail_kills import STEPS, TAKEN, Kills, WatchedServer

if TYPE_CHECKING:
    from tests.support.wires import Mess

ROUNDS = 30  # of each of the seven steps


async def test_nobody_is_without_a_mail(mess: Mess) -> None:
    """Copies come only of kills between the last byte and the note of the answer; the test counts and prints them."""
    server = WatchedServer()
    await server.start()
    kills = Kills(mess, server)
    await kills.run(STEPS * ROUNDS)
    await server.stop()

    assert ROUNDS * len(STEPS) == len(kills.killed)
    copies = {step: Counter[int]() for step in STEPS}
    for address, step in kills.killed.items():
        copies[step][server.copies(address)] += 1
    print({step: dict(counts) for step, counts in copies.items()})  # noqa: T201 -- what it is for
    assert all(counts == {1: ROUNDS} for step, counts in copies.items() if step not in TAKEN)
    assert all(counts.keys() <= {1, 2} for counts in copies.values())
