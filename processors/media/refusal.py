"""How an encoder in a child process says that its input is at fault."""

from __future__ import annotations

REFUSED_STATUS = 65  # EX_DATAERR


class RefusedError(Exception):
    """The input can't be processed, whoever tries; the message says why."""
