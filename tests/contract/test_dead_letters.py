"""Dead letters: a newer one is never dropped in place of an older one of the same job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from queue_lib.broker.dead_letters import DeadLetter, dead_letter_id
from queue_lib.outcome import Failure
from tests.support.fakes import make_job

if TYPE_CHECKING:
    import pytest

    from tests.support.wire_kit import WireKit

JOB = make_job()
ID = dead_letter_id(JOB.wire, JOB.queue, JOB.id)


def letter(failed_at: float) -> DeadLetter:
    """The job's dead letter, with the time of its failure in seconds."""
    return DeadLetter(job=JOB, failure=Failure("it broke"), failed_at=failed_at)


async def test_a_dead_letter_of_a_newer_failure_stays(kit: WireKit) -> None:
    """The job has failed again and has a new dead letter, so dropping the old one does nothing."""
    await kit.dead_letters.add(letter(1000.0))
    await kit.dead_letters.add(letter(2000.0))

    assert not await kit.dead_letters.drop(ID, 1_000_000)
    assert 1 == await kit.dead_letters.count()
    assert await kit.dead_letters.drop(ID, 2_000_000)
    assert not await kit.dead_letters.drop(ID)
    assert 0 == await kit.dead_letters.count()


async def test_a_dead_letter_written_during_a_drop_stays(bullmq: WireKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is written after the old one was read and before that is removed."""
    letters = bullmq.dead_letters
    await letters.add(letter(1000.0))
    remove = letters._remove

    async def and_a_new_one(**words: Any) -> Any:
        monkeypatch.setattr(letters, "_remove", remove)
        await letters.add(letter(2000.0))
        return await remove(**words)

    monkeypatch.setattr(letters, "_remove", and_a_new_one)
    assert not await letters.drop(ID, 1_000_000)
    assert 2_000_000 == (await letters.find(ID)).failed_at
