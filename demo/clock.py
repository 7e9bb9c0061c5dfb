"""The lines that the demo prints: one for each event, with the seconds since the start."""

from __future__ import annotations

import sys
import time

WHO_WIDTH, EVENT_WIDTH = 7, 12
_started = time.monotonic()


def seconds() -> float:
    """Seconds since the start."""
    return time.monotonic() - _started


def show(who: str, event: str, detail: str = "") -> None:
    """Print one event."""
    say(f"{seconds():6.2f} s  {who:{WHO_WIDTH}}  {event:{EVENT_WIDTH}}  {detail}".rstrip())


def say(line: str = "") -> None:
    """Print a line at once. Characters that the terminal can't show become escapes."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(line.encode(encoding, errors="backslashreplace").decode(encoding) + "\n")
    sys.stdout.flush()
