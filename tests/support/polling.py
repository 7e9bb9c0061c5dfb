"""Waiting for another process: look often, give up in time."""

from __future__ import annotations

import asyncio
import inspect
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")
EVERY = 0.02  # seconds
PATIENCE = 60.0  # seconds that another process may take for what it does at once on an idle machine
BUSY = 2.0  # seconds by which a busy machine may be late


async def until(
    look: Callable[[], T | Awaitable[T]],
    within: float = PATIENCE,
    why: Callable[[], object] | str = "it did not happen",
) -> T:
    """The result of `look`, once it is true; the test fails after `within` seconds, with `why`."""
    deadline = time.monotonic() + within
    while True:
        seen = look()
        value: T = await seen if inspect.isawaitable(seen) else seen
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {within:g} s: {why() if callable(why) else why}")  # noqa: TRY003, EM102
        await asyncio.sleep(EVERY)


def is_over(pid: int) -> bool:
    """Whether this process no longer runs; a zombie does not run."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):  # gone before it was asked, or while
        return True
