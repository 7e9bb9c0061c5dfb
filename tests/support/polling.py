"""Waiting for something that another process does: look often, give up in time."""

from __future__ import annotations

import asyncio
import inspect
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")
EVERY = 0.02  # seconds


async def until(
    look: Callable[[], T | Awaitable[T]], within: float = 10.0, why: Callable[[], object] | str = "it did not happen"
) -> T:
    """What `look` returns, once that is true; the test fails after `within` seconds, with `why`."""
    deadline = time.monotonic() + within
    while True:
        seen = look()
        value: T = await seen if inspect.isawaitable(seen) else seen
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {within:g} s: {why() if callable(why) else why}")  # noqa: TRY003, EM102
        await asyncio.sleep(EVERY)
