"""Look-ups that share queries: what is asked for while one is under way goes together into the next."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

K = TypeVar("K")
V = TypeVar("V")


class Batcher(Generic[K, V]):
    """One look-up at a time, of up to `most` keys. A busy process asks seldom, an idle one at once."""

    def __init__(self, look_up: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]], most: int) -> None:
        """`look_up` answers for each of its keys, or raises for all of them."""
        self._look_up = look_up
        self._most = most
        self._waiting: dict[K, asyncio.Future[V]] = {}
        self._asking: asyncio.Task[None] | None = None

    async def get(self, key: K) -> V:
        """What is found for a key; raises what the look-up raised. Safe to cancel: the others get their answers."""
        answer = self._waiting.get(key)
        if answer is None:
            answer = self._waiting[key] = asyncio.get_running_loop().create_future()
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())
        return await asyncio.shield(answer)

    async def _ask(self) -> None:
        try:
            while self._waiting:
                answers = {key: self._waiting.pop(key) for key in list(self._waiting)[: self._most]}
                [found] = await asyncio.gather(self._look_up(list(answers)), return_exceptions=True)
                for key, answer in answers.items():
                    if isinstance(found, BaseException):
                        answer.set_exception(found)
                        answer.exception()  # the waiting caller may have been cancelled
                    else:
                        answer.set_result(found[key])
        finally:
            self._asking = None
