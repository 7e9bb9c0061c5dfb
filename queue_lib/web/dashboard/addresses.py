"""The addresses of the dashboard's pages."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

PREFIX = "/admin/queues"


def address(path: str, *, below: str = PREFIX, **query: Any) -> str:
    """The address of a page, `below` a path. Job ids go into the query, where they may have slashes and dots."""
    given = {name: value for name, value in query.items() if value not in {None, ""}}
    return f"{below}{path}" + (f"?{urlencode(given, errors='replace')}" if given else "")


def page_of_job(job: Any, action: str = "", *, below: str = PREFIX) -> str:
    """The address of a job, or of an action on it."""
    return address(f"/job{action}", below=below, queue=job.queue, wire=job.wire.value, id=job.id)
