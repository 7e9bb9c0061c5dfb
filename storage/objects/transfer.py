"""Copy bytes in a thread that can be stopped."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, TypeVar

from storage.errors import ObjectTooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Executor
    from pathlib import Path

ResultT = TypeVar("ResultT")

CHUNK = 1024 * 1024  # bytes


class StoppedError(Exception):
    """The caller no longer waits for this transfer."""


class Stop:
    """Tells a thread that its caller no longer waits."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Stop the thread at its next check."""
        self._event.set()

    def check(self) -> None:
        """Raise StoppedError if the transfer was stopped."""
        if self._event.is_set():
            raise StoppedError


async def in_thread(executor: Executor | None, work: Callable[[Stop], ResultT]) -> ResultT:
    """Run `work` in a thread of `executor` (None: the loop's own).

    A thread can't be cancelled: if the caller is, `work` stops at its next check, without anyone waiting for it.
    """
    stop = Stop()
    try:
        return await asyncio.get_running_loop().run_in_executor(executor, work, stop)
    finally:
        stop.set()


def refuse_above(max_bytes: int, size: int) -> None:
    """Raise ObjectTooLargeError if `size` bytes are more than `max_bytes`."""
    if size > max_bytes:
        msg = f"the object has at least {size} bytes; {max_bytes} are allowed"
        raise ObjectTooLargeError(msg)


def save(chunks: Iterable[bytes], target: Path, max_bytes: int, stop: Stop) -> int:
    """Write the chunks to the file `target`. Returns the number of bytes.

    Raises ObjectTooLargeError before more than `max_bytes` are written. After any error `target` is removed.
    """
    size = 0
    try:
        with target.open("wb") as file:
            for chunk in chunks:
                stop.check()
                size += len(chunk)
                refuse_above(max_bytes, size)
                file.write(chunk)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    return size
