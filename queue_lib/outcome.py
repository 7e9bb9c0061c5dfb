"""How a run can end: one of six ways, and no other."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import Any, Self

MAX_REASON, MAX_STACK = 2_000, 16_000  # characters
MAX_FRAMES = 50

Frame = tuple[str, int, str]  # file, line, function


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed: a one-line `reason` for people, and the `stack` trace (may be empty).

    `kind` is the exception's class, and `frames` say where it was raised, outermost first: what may be told to those
    who must not see messages, which may hold a user's data.
    """

    reason: str
    stack: str = ""
    kind: str = ""
    frames: tuple[Frame, ...] = ()

    @classmethod
    def of(cls, error: BaseException) -> Self:
        """Describe an exception, with a stack of 16,000 characters at most."""
        stack = _writable("".join(traceback.format_exception(error)))[-MAX_STACK:]
        return cls(reason_of(error), stack, type(error).__name__, _frames(error))


def reason_of(error: BaseException) -> str:
    """An exception's message in one line of 2,000 characters at most; its class, if it has none.

    All reasons are made here: those of libraries have many lines, and logs and tables have one.
    """
    try:
        lines = _writable(str(error)).splitlines()
    except TypeError:  # its __str__ does not return a text
        lines = []
    line = " ".join(filter(None, map(str.strip, lines)))
    return line[:MAX_REASON] or type(error).__name__


def _frames(error: BaseException) -> tuple[Frame, ...]:
    walked = traceback.walk_tb(error.__traceback__)
    frames = [(frame.f_code.co_filename, line, frame.f_code.co_qualname) for frame, line in walked]
    return tuple(frames[-MAX_FRAMES:])


def _writable(text: str) -> str:
    """Without the lone surrogates that JSON may carry and UTF-8 may not, and without NUL, which Postgres refuses."""
    return text.encode(errors="replace").decode().replace("\0", "?")


@dataclass(frozen=True, slots=True)
class Done:
    """The job is finished; `result` is JSON."""

    result: Any


@dataclass(frozen=True, slots=True)
class Retry:
    """The attempt failed; the next one starts in `delay` seconds."""

    delay: float
    failure: Failure


@dataclass(frozen=True, slots=True)
class Snooze:
    """Not now: the job runs again in `delay` seconds, and no attempt is counted."""

    delay: float
    reason: str


@dataclass(frozen=True, slots=True)
class Dead:
    """The job failed for good: it goes to the dead letters."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Released:
    """The process is stopping: the job goes back to the front of its queue, and no attempt is counted."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The job is no longer ours to settle, for this `reason`: another run records how it ends."""

    reason: str


Outcome = Done | Retry | Snooze | Dead  # of a job that was ours to the end
Ending = Outcome | Released | Lost
