"""Which run of an own job this code is in, in the loop or in a thread."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from queue_lib.processor import Context


@dataclass(frozen=True, slots=True)
class Run:
    """A run: its context, and the loop that its context belongs to, which runs in `thread`."""

    context: Context
    loop: AbstractEventLoop
    thread: int


CURRENT: ContextVar[Run | None] = ContextVar("current run of an own job", default=None)
