"""web.py with a fault in pausing a queue."""

from __future__ import annotations

import web
from queue_lib.admin.queues import QueueAdmin


async def broken(*_: object) -> None:
    """Break."""
    msg = "nobody thought of this"
    raise LookupError(msg)


if __name__ == "__main__":
    QueueAdmin.pause = broken  # type: ignore[assignment, method-assign]
    web.main()
