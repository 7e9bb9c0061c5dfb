"""The addresses of the dashboard's pages: each link is made here, so that it keeps what the reader has chosen.

All links keep the period of the graphs. The filters of a list are kept by the links among its pages: the list, its
jobs or dead letters, and what may be done to them. The place in a list is kept only where a link says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from queue_lib.web.dashboard.charts import Period

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fastapi import Request

PREFIX = "/admin/queues"
LONGEST = 200  # characters of a filter
# By the first word of a path: what the pages know of their list. On the page of a job `wire` is the job's own.
_LETTERS = ("queue", "wire", "name", "text", "group")
FILTERS = {
    "queue": ("state", "wire", "text"),
    "job": ("state", "listed", "text"),
    "letters": _LETTERS,
    "letter": _LETTERS,
    "schedules": ("start",),
    "schedule": ("start",),
}


def address(path: str, *, below: str = PREFIX, **query: Any) -> str:
    """The address of a page, `below` a path. Job ids go into the query, where they may have slashes and dots."""
    path, hash_sign, fragment = path.partition("#")
    given = {name: value for name, value in query.items() if value not in {None, ""}}
    asked = f"?{urlencode(given, errors='replace')}" if given else ""
    return f"{below}{path}{asked}{hash_sign}{fragment}"


def page_of_job(job: Any, *, below: str = PREFIX) -> str:
    """The address of a job, with nothing else."""
    return address("/job", below=below, **_place_of(job))


@dataclass(frozen=True, slots=True)
class Links:
    """The links of a page. `listed` is the list that it belongs to, empty if to none, and `filters` are the list's."""

    below: str
    period: str
    listed: str
    filters: Mapping[str, str]

    @classmethod
    def of(cls, request: Request, below: str = PREFIX) -> Links:
        """What was chosen, as the request's address says it; what is too long for a page is left out."""
        path, given = request.url.path.removeprefix(PREFIX), request.query_params
        period = given.get("period", "")
        chosen = {name: given[name] for name in _filters_of(path) if 0 < len(given.get(name, "")) <= LONGEST}
        if "listed" in chosen:
            chosen["wire"] = chosen.pop("listed")
        return cls(below, period if period in set(Period) else "", _list_of(path, given), chosen)

    def address(self, path: str, **query: Any) -> str:
        """That of a page or an action, with what was chosen. What `query` has wins; an empty value takes it out."""
        kept: dict[str, Any] = {"period": self.period}
        if self.listed and self.listed == _list_of(path, query):
            kept |= self._named(path)
        return address(path, below=self.below, **(kept | query))

    def front(self, path: str) -> str:
        """That of a page from its beginning on, without filters."""
        return address(path, below=self.below, period=self.period)

    def job(self, job: Any, action: str = "") -> str:
        """That of a job, or of an action on it."""
        return self.address(f"/job{action}", **_place_of(job))

    def fields(self, path: str, own: Sequence[str]) -> dict[str, str]:
        """What a form that asks for a page has to send beside its `own` fields, to keep what was chosen."""
        kept = {"period": self.period, **(self._named(path) if self.listed == _list_of(path, {}) else {})}
        return {name: value for name, value in kept.items() if value and name not in own}

    def _named(self, path: str) -> dict[str, str]:
        """The filters, by the names that this path has for them."""
        if "listed" not in _filters_of(path):
            return dict(self.filters)
        return {("listed" if name == "wire" else name): value for name, value in self.filters.items()}


def _place_of(job: Any) -> dict[str, str]:
    return {"queue": job.queue, "wire": job.wire.value, "id": job.id}


def _filters_of(path: str) -> Sequence[str]:
    return FILTERS.get(_words(path)[0], ())


def _list_of(path: str, query: Mapping[str, Any]) -> str:
    """The list that a page is of; the page of a job is one of its queue's."""
    kind, rest = _words(path)
    match kind:
        case "queue":
            return f"queue/{rest}"
        case "job":
            return f"queue/{query.get('queue', '')}"
        case _:
            return f"{kind.removesuffix('s')}s" if kind in FILTERS else ""


def _words(path: str) -> tuple[str, str]:
    """The first two words of a path."""
    first, _, rest = path.partition("#")[0].lstrip("/").partition("/")
    return first, rest.partition("/")[0]
