"""web.py with a fault: who pauses a queue meets it."""

from __future__ import annotations

import web
from queue_lib.admin.admin import Admin


async def broken(*_: object) -> None:
    """Break."""
    msg = "nobody thought of this"
    raise LookupError(msg)


if __name__ == "__main__":
    Admin.pause = broken  # type: ignore[assignment, method-assign]
    web.main()
