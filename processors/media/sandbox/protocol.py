"""What a child and the worker say to each other: one JSON object a line, over a socket of the task's own."""

from __future__ import annotations

import errno
import json
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from typing import TextIO

LONGEST_REASON = 500  # characters
# An OSError's numbers that are no fault of the system: bytes have led to a wrong question, as for a place in the file
# that there can't be.
ASKED_WRONG = frozenset({None, errno.EINVAL, errno.EOVERFLOW})


class RefusedError(Exception):
    """The input can't be processed, whoever tries; the message says why."""


class FailedError(Exception):
    """It could not be done this time, for a reason that lies outside: another attempt may help."""


class Parent(Protocol):
    """What a task may say while it runs."""

    def progress(self, percent: float) -> None:
        """Report how far it is (0 to 100)."""

    def allow(self, unused: int) -> None:
        """Allow `unused` bytes before anything is reserved: a library asks the kernel for them, and lets them be."""

    def reserve(self, need: int, unused: int = 0) -> None:
        """Wait until there are `need` bytes of memory for this task; a task asks once, when it knows.

        `unused` bytes are allowed beyond, for what is asked of the kernel but not touched: the stacks of many threads.
        Raises RefusedError where there never will be.
        """


class SocketParent:
    """The parent at the other end of a socket."""

    def __init__(self, stream: TextIO, limit_memory: Any) -> None:
        """`stream` is read and written by lines; `limit_memory` is told what is allowed, in bytes."""
        self._stream = stream
        self._limit_memory = limit_memory

    def request(self) -> dict[str, Any]:
        """What is to be done."""
        return self._read()

    def say(self, **message: Any) -> None:
        """Send one message."""
        self._stream.write(json.dumps(message) + "\n")
        self._stream.flush()

    def progress(self, percent: float) -> None:
        """Report how far the task is."""
        self.say(progress=round(percent, 1))

    def allow(self, unused: int) -> None:
        """Allow what is not touched."""
        self._limit_memory(unused)

    def reserve(self, need: int, unused: int = 0) -> None:
        """Wait for memory."""
        self.say(reserve=need)
        if reason := self._read().get("refused"):
            raise RefusedError(reason)
        self._limit_memory(need + unused)

    def _read(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._stream.readline() or "{}")
        return message


def one_line(text: object) -> str:
    """A reason on one line, not too long."""
    return " ".join(str(text).split())[:LONGEST_REASON]
