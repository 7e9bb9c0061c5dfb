"""The six ways in which a run can end."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from typing import Any, Self

MAX_REASON, MAX_STACK = 2_000, 16_000  # characters
MAX_FRAMES = 50
BARE = (KeyError, SystemExit)  # their message is a key, or a status, and says nothing without their name

Frame = tuple[str, int, str]  # file, line, function


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed: a readable `reason` in one line, and the `stack` trace (may be empty).

    `kind` is the exception's class, and `frames` say where it was raised, outermost first. Both may go to error
    reports, which must not have messages: these may hold a user's data.
    """

    reason: str
    stack: str = ""
    kind: str = ""
    frames: tuple[Frame, ...] = ()

    @classmethod
    def of(cls, error: BaseException) -> Self:
        """Describe an exception, with at most 16,000 characters of its stack trace."""
        stack = _writable("".join(traceback.format_exception(error)))[-MAX_STACK:]
        return cls(reason_of(error), stack, type(error).__name__, _frames(error))


def reason_of(error: BaseException) -> str:
    """An exception's message in one line of at most 2,000 characters; its class, if it has none.

    All reasons are made here, because messages of libraries may have many lines, and logs and tables have one. The
    reason of a group has those of its exceptions.
    """
    try:
        lines = _writable(str(error)).splitlines()
    except Exception:  # noqa: BLE001 -- its __str__ is anybody's: it may raise any, or return no string
        lines = []
    line = " ".join(filter(None, map(str.strip, lines)))
    if line and isinstance(error, BARE):
        line = f"{type(error).__name__}: {line}"
    elif isinstance(error, BaseExceptionGroup):
        line = f"{line}: {'; '.join(map(reason_of, error.exceptions))}"
    return line[:MAX_REASON] or type(error).__name__


def _frames(error: BaseException) -> tuple[Frame, ...]:
    walked = traceback.walk_tb(error.__traceback__)
    frames = [(frame.f_code.co_filename, line, frame.f_code.co_qualname) for frame, line in walked]
    return tuple(frames[-MAX_FRAMES:])


def _writable(text: str) -> str:
    """The text without lone surrogates, which UTF-8 can't have, and without NUL, which Postgres refuses."""
    return text.encode(errors="replace").decode().replace("\0", "?")


@dataclass(frozen=True, slots=True)
class Done:
    """The job has finished; `result` is JSON."""

    result: Any


@dataclass(frozen=True, slots=True)
class Retry:
    """The attempt failed. The next one starts in `delay` seconds."""

    delay: float
    failure: Failure


@dataclass(frozen=True, slots=True)
class Snooze:
    """The job is put off: it runs again in `delay` seconds, and no attempt is counted."""

    delay: float
    reason: str


@dataclass(frozen=True, slots=True)
class Dead:
    """The job failed for good, and gets a dead letter."""

    failure: Failure


@dataclass(frozen=True, slots=True)
class Released:
    """The process stops. The job goes back to the front of its queue, and no attempt is counted."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The worker no longer owns the job, for this `reason`. Another run records how it ends."""

    reason: str


Outcome = Done | Retry | Snooze | Dead  # of a job that this worker owned to the end
Ending = Outcome | Released | Lost
