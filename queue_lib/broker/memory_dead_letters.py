"""The fake's dead letters, in a MemoryStore."""

from __future__ import annotations

from typing import TYPE_CHECKING

from queue_lib.broker.dead_letters import DeadLetter, DeadLetterView, dead_letter_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from queue_lib.broker.memory import MemoryStore


class MemoryDeadLetters:
    """The DeadLetters port over a MemoryStore."""

    def __init__(self, store: MemoryStore) -> None:
        """Keep them in `store`."""
        self._store = store

    async def add(self, letter: DeadLetter) -> None:
        """Keep a dead letter; it replaces an older one for the same job."""
        await self.drop(_id(letter))
        self._store.letters = [*self._store.letters, letter]

    async def count(self) -> int:
        """How many there are."""
        return len(self._store.letters)

    async def page(self, start: int, count: int) -> list[DeadLetterView]:
        """Dead letters, the oldest first."""
        return [_read(letter) for letter in self._store.letters[start : start + count]]

    async def briefs(self, start: int, count: int) -> list[DeadLetterView]:
        """The same without payloads and stack traces."""
        return [
            DeadLetterView.read_brief(_id(letter), letter.to_wire())
            for letter in self._store.letters[start : start + count]
        ]

    async def find(self, letter_id: str) -> DeadLetterView | None:
        """One dead letter."""
        return next((_read(letter) for letter in self._store.letters if _id(letter) == letter_id), None)

    async def gather(self, start: int, count: int, letter_ids: Sequence[str]) -> int:
        """Move dead letters to the end."""
        letters = self._store.letters
        moved = [letter for letter in letters[start : start + count] if _id(letter) in letter_ids]
        self._store.letters = [letter for letter in letters if letter not in moved] + moved
        return len(moved)

    async def drop(self, letter_id: str, failed_at: int | None = None) -> bool:
        """Delete a dead letter."""

        def is_meant(letter: DeadLetter) -> bool:
            return _id(letter) == letter_id and failed_at in {None, _read(letter).failed_at}

        kept = [letter for letter in self._store.letters if not is_meant(letter)]
        dropped = len(kept) < len(self._store.letters)
        self._store.letters = kept
        return dropped

    async def close(self) -> None:
        """Nothing to close."""


def _id(letter: DeadLetter) -> str:
    return dead_letter_id(letter.job.wire, letter.job.queue, letter.job.id)


def _read(letter: DeadLetter) -> DeadLetterView:
    return DeadLetterView.read(_id(letter), letter.to_wire())
