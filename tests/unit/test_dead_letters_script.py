"""The script of dead letters: what it does to many of them is what its question has said."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import typer

from queue_lib.admin.admin import Admin
from queue_lib.admin.letter_groups import group_of
from queue_lib.broker.dead_letters import DeadLetter
from queue_lib.outcome import Failure
from scripts import dead_letters, terminal
from tests.support.fakes import make_job
from tests.support.wire_kit import QUEUE, WireKit, backends, memory_kit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

FAILURE = Failure("row 7 is gone", "")


def letter(number: int) -> DeadLetter:
    """One of the group."""
    return DeadLetter(job=make_job(id=str(number), queue=QUEUE.name), failure=FAILURE, failed_at=float(number))


def test_what_fails_while_the_question_is_open_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it is of the same reason."""
    asked, left = list[str](), list[str]()

    def run(work: Callable[[Admin], Awaitable[Any]]) -> Any:
        return asyncio.run(over_memory(work))

    async def over_memory(work: Callable[[Admin], Awaitable[Any]]) -> Any:
        async with memory_kit("") as kit:
            for number in (1, 2):
                await kit.dead_letters.add(letter(number))
            monkeypatch.setattr(terminal, "confirm", lambda question, **_: fail_meanwhile(kit, question))
            outcomes = await work(Admin(backends(kit), by="anna"))
            left.extend(each.id for each in await kit.dead_letters.page(0, 9))
            return outcomes

    def fail_meanwhile(kit: WireKit, question: str) -> None:
        asked.append(question)
        kit.dead_letters._store.letters = [*kit.dead_letters._store.letters, letter(3)]

    monkeypatch.setattr(terminal, "run", run)
    with pytest.raises(typer.Exit) as ended:
        dead_letters.drop(every=True, reason=group_of(FAILURE.reason))
    assert (0, ["Drop 2 dead letters?"], ["3"]) == (ended.value.exit_code, asked, left)
