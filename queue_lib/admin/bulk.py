"""Acting on many jobs or dead letters, one after the other, within a time budget."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

T = TypeVar("T")
ItemT = TypeVar("ItemT")


@dataclass(slots=True)
class Bulk(Generic[T]):
    """The outcome for each item, in order. `more`: the time was up before all were done."""

    outcomes: list[T] = field(default_factory=list)
    more: bool = False


async def for_each(
    items: Iterable[ItemT] | AsyncIterable[ItemT],
    act: Callable[[ItemT], Awaitable[T]],
    seconds: float = math.inf,
    clock: Callable[[], float] = time.monotonic,
) -> Bulk[T]:
    """Do `act` to one item after the other, until none is left or `seconds` have passed."""
    until, bulk = clock() + seconds, Bulk[T]()
    async for item in _each(items):
        if clock() > until:
            bulk.more = True
            break
        bulk.outcomes.append(await act(item))
    return bulk


async def _each(items: Iterable[ItemT] | AsyncIterable[ItemT]) -> AsyncIterator[ItemT]:
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
        return
    for item in items:
        yield item
