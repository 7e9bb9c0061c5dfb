"""Why single attempts failed, read from the stack traces that the wires keep: Python's or Node's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from queue_lib.admin.ports import AttemptFailure
from queue_lib.outcome import MAX_REASON, MAX_STACK

if TYPE_CHECKING:
    from collections.abc import Sequence

NODE = re.compile(r"^\s+at ", re.MULTILINE)


def of_traces(
    traces: Sequence[str], *, made: int, times: Sequence[float | None], last_reason: str | None
) -> tuple[AttemptFailure, ...]:
    """A failure for each trace, the oldest first.

    `made` is how many attempts have failed. The last trace belongs to attempt `made`; traces from before a manual retry
    have no attempt number. `times` are those of the traces, in seconds since the epoch.
    """
    first = made - len(traces) + 1
    return tuple(
        AttemptFailure(
            attempt=number if (number := first + place) >= 1 else None,
            at=at,
            reason=last_reason if last_reason and place == len(traces) - 1 else _reason(trace),
            stack=trace[-MAX_STACK:],
        )
        for place, (trace, at) in enumerate(zip(traces, times, strict=True))
    )


def _reason(trace: str) -> str:
    """The line that names the error: the first of Node's traces, the last of Python's."""
    lines = [line.strip() for line in trace.splitlines() if line.strip()] or [""]
    return lines[0 if NODE.search(trace) else -1][:MAX_REASON]
