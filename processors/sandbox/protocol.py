"""The messages between a child and the worker: one JSON object a line, over a socket for each task."""

from __future__ import annotations

import errno
import json
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from typing import TextIO

LONGEST_REASON = 500  # characters
# Values of OSError.errno that are no fault of the system: hostile bytes have caused an impossible call, such as a seek
# beyond the largest offset.
ASKED_WRONG = frozenset({None, errno.EINVAL, errno.EOVERFLOW})


class RefusedError(Exception):
    """The input can't be processed by any attempt; the message says why."""


class FailedError(Exception):
    """The task failed for an outside reason: another attempt may help."""


class Parent(Protocol):
    """The worker, as a task sees it."""

    def progress(self, percent: float) -> None:
        """Report the progress of the task, 0 to 100 percent."""

    def allow(self, unused: int) -> None:
        """Allow `unused` bytes before anything is reserved, for memory that a library allocates but does not touch."""

    def reserve(self, need: int, unused: int = 0) -> None:
        """Wait for `need` bytes of memory. A task calls it once, as soon as it knows how much it needs.

        `unused` more bytes are allowed for memory that is allocated but not touched, such as stacks of many threads.
        Raises RefusedError if the budget is too small.
        """


class SocketParent:
    """The worker at the other end of a socket."""

    def __init__(self, stream: TextIO, limit_memory: Any) -> None:
        """`stream` is read and written by lines; `limit_memory` is called with the bytes that are allowed."""
        self._stream = stream
        self._limit_memory = limit_memory

    def request(self) -> dict[str, Any]:
        """Read the request."""
        return self._read()

    def say(self, **message: Any) -> None:
        """Send one message."""
        self._stream.write(json.dumps(message) + "\n")
        self._stream.flush()

    def progress(self, percent: float) -> None:
        """See Parent."""
        self.say(progress=round(percent, 1))

    def allow(self, unused: int) -> None:
        """See Parent."""
        self._limit_memory(unused)

    def reserve(self, need: int, unused: int = 0) -> None:
        """See Parent."""
        self.say(reserve=need)
        if reason := self._read().get("refused"):
            raise RefusedError(reason)
        self._limit_memory(need + unused)

    def _read(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._stream.readline() or "{}")
        return message


def one_line(text: object) -> str:
    """A reason on one line of at most LONGEST_REASON characters."""
    return " ".join(str(text).split())[:LONGEST_REASON]
