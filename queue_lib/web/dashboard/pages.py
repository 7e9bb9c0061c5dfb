"""Rendering: templates in which everything is escaped, and what all pages have."""

from __future__ import annotations

import hashlib
import time
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from queue_lib.job import Wire
from queue_lib.web.dashboard import formats, stack_trace
from queue_lib.web.dashboard.addresses import Links, page_of_job
from queue_lib.web.dashboard.proxied import prefix_of

HERE = Path(__file__).parent
STATIC = {
    "style.css": "text/css; charset=utf-8",
    "live.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
ASSETS = {name: (HERE / "static" / name).read_bytes() for name in STATIC}
VERSIONS = {name: hashlib.sha256(content).hexdigest()[:12] for name, content in ASSETS.items()}
# Messages after an action. The address names one of them, so that no link can put its own text on the page.
SAID = {
    "paused": "Paused: no more jobs are handed out, on both wires. What runs goes on.",
    "resumed": "Resumed.",
    "job-retried": "The job runs again, from its first attempt.",
    "job-not-failed": "Nothing was done: the job is not among the failed ones any more.",
    "job-added": "The job is added.",
    "job-removed": "The job is removed.",
    "job-not-removed": "Nothing was done: the job is running, or gone.",
    "job-promoted": "The job may run now.",
    "job-not-delayed": "Nothing was done: the job is not delayed any more.",
    "ticked-none": "Nothing was done: no job was ticked.",
    "ticked-retried": "Ticked jobs that run again: {n}.",
    "ticked-retried-few": "Ticked jobs that run again: {n}. The others have changed meanwhile.",
    "ticked-removed": "Ticked jobs removed: {n}.",
    "ticked-removed-few": "Ticked jobs removed: {n}. The others have changed meanwhile.",
    "retried": "Jobs that run again: {n}.",
    "retried-some": "Jobs that run again: {n}. There are more; do it again.",
    "cleaned": "Jobs deleted: {n}. Their dead letters stay.",
    "cleaned-some": "Jobs deleted: {n}. Their dead letters stay. There may be more; do it again.",
    "schedule-paused": "Paused: the schedule adds no jobs until it is resumed.",
    "schedule-resumed": "Resumed: it adds its next job at its next time, or at once if it has an interval.",
    "schedule-not-paused": "Nothing was done: the schedule is not paused any more.",
    "schedule-removed": "The schedule is removed.",
    "schedule-gone": "Nothing was done: the schedule is gone.",
    "schedule-run": "A job is added; the schedule's own times stay.",
    "letter-retried": "The job runs again, from its first attempt; its dead letter is dropped.",
    "letter-enqueued": "The job was gone; a new one has its payload. The dead letter is dropped.",
    "letter-not-failed": "Nothing was done: the job is waiting, running or done by now. Drop the dead letter.",
    "letter-no-payload": "Nothing was done: the job is gone, and the dead letter has no payload; it says why.",
    "letter-dropped": "The dead letter is dropped; the job stays among the failed ones.",
    "letter-gone": "Nothing was done: the dead letter is gone.",
    "replayed": "Dead letters replayed: {n}.",
    "replayed-few": "Dead letters replayed: {n}. The others are gone, can't be replayed, or are still here.",
    "dropped": "Dead letters dropped: {n}.",
    "dropped-few": "Dead letters dropped: {n}. The others are gone, or still here.",
    "replayed-some": "Dead letters replayed: {n}. There may be more; do it again.",
    "dropped-some": "Dead letters dropped: {n}. There may be more; do it again.",
}


def _static(name: str, *, below: str) -> str:
    """An address that changes with the file, so that browsers may keep it."""
    return f"{below}/static/{VERSIONS[name]}/{name}"


TEMPLATES = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=formats.printable,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
TEMPLATES.filters |= {
    "short": formats.short,
    "pretty": formats.pretty,
    "glance": formats.glance,
    "number": formats.number,
    "duration": formats.duration,
    "moment": formats.moment,
    "clock": formats.clock,
    "iso": formats.iso,
    "memory": formats.memory,
    "wire": lambda wire: formats.WIRES[wire],
}
TEMPLATES.globals |= {"wires": tuple(Wire)}


def page(request: Request, template: str, status: int = HTTPStatus.OK, **values: Any) -> HTMLResponse:
    """A page, with the session if there is one."""
    now, below = time.time(), prefix_of(request)
    links = Links.of(request, below)
    common = {
        "prefix": below,
        "links": links,
        "address": links.address,
        "front": links.front,
        "page_of_job": links.job,
        "key_of_job": partial(page_of_job, below=below),
        "static": partial(_static, below=below),
        "session": getattr(request.state, "session", None),
        "said": _said(request),
        "now": now,
        "ago": lambda at: formats.ago(at, now),
        "traced": partial(stack_trace.parsed, own=request.app.state.modules),
        "refresh": 0,
        "pictures": "",
        "here": "",
    }
    return HTMLResponse(TEMPLATES.get_template(template).render(common | values), status)


def _said(request: Request) -> str | None:
    text = SAID.get(request.query_params.get("said", ""))
    count = request.query_params.get("n", "0")
    return text and text.format(n=f"{int(count):,}" if count.isascii() and count.isdigit() and len(count) < 10 else 0)  # noqa: PLR2004 -- no job count has ten digits


def done(request: Request, path: str, said: str, n: int | None = None, **query: Any) -> RedirectResponse:
    """After an action: a page that says what became of it, and that may be reloaded."""
    return RedirectResponse(Links.of(request).address(path, **query, said=said, n=n), HTTPStatus.SEE_OTHER)
