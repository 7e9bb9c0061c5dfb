"""Groups of dead letters: those whose reasons have the same gist."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from queue_lib.admin.fingerprints import fingerprint
from queue_lib.admin.reasons import gist

if TYPE_CHECKING:
    from collections.abc import Iterable

    from queue_lib.broker.dead_letters import DeadLetterView
    from queue_lib.job import Wire

LONGEST_NAME = 200  # characters


@dataclass(slots=True)
class LetterGroup:
    """Dead letters of one gist, which `id` names. `newest` and `oldest` are when they failed, as the letters have it.

    `names`, `queues` and `wires` say how many of them are of which job, queue and wire.
    """

    id: str
    gist: str
    newest: int
    oldest: int
    count: int = 0
    names: Counter[str] = field(default_factory=Counter)
    queues: Counter[str] = field(default_factory=Counter)
    wires: Counter[Wire] = field(default_factory=Counter)

    def add(self, letter: DeadLetterView) -> None:
        """Count a letter."""
        self.newest, self.oldest = max(self.newest, letter.failed_at), min(self.oldest, letter.failed_at)
        self.count += 1
        self.names[letter.name[:LONGEST_NAME]] += 1
        self.queues[letter.queue[:LONGEST_NAME]] += 1
        self.wires[letter.wire] += 1


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups of some dead letters of `total`, the largest first.

    `resume` is how many newer letters to skip next; None at the end.
    """

    groups: list[LetterGroup]
    resume: int | None
    total: int


def group_of(reason: str) -> str:
    """The id of the group to which a dead letter with this reason belongs."""
    return _named(gist(reason))


@lru_cache(maxsize=2000)
def _named(text: str) -> str:
    return fingerprint([text]) or ""


class Grouping:
    """Groups letters one by one, of which it keeps none."""

    def __init__(self) -> None:
        """There are none yet."""
        self._groups: dict[str, LetterGroup] = {}

    def add(self, letter: DeadLetterView) -> None:
        """Count a letter in its group."""
        text = gist(letter.reason)
        if text not in self._groups:
            self._groups[text] = LetterGroup(group_of(letter.reason), text, letter.failed_at, letter.failed_at)
        self._groups[text].add(letter)

    def groups(self) -> list[LetterGroup]:
        """The largest first, of equal ones the one that failed last."""
        return sorted(self._groups.values(), key=lambda group: (-group.count, -group.newest))


def grouped(letters: Iterable[DeadLetterView]) -> list[LetterGroup]:
    """The groups of these letters."""
    grouping = Grouping()
    for letter in letters:
        grouping.add(letter)
    return grouping.groups()
