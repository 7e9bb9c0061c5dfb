"""What a feature shows of a job, made fit for a page: an address is used only where the environment says it may be.

A result comes from Redis. So a picture or a link must be below an address that the feature knows from its settings, and
the page's policy lets the browser load these very pictures, and nothing else of another host.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from pydantic import ValidationError

from queue_lib.shown import MOST_PARTS, Link, Picture, Seen, Words
from queue_lib.web.headers import POLICY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import BaseModel

    from queue_lib.admin.ports import JobView
    from queue_lib.processor import JobSchema
    from queue_lib.shown import Part, Showing

LONGEST = 4000  # characters of an address: a signed one has a thousand
ADDRESS = re.compile(
    r"https?://[a-z0-9.-]+(?::\d{1,5})?/[\w./~!$&'()*+,;=:@%-]*(?:\?[\w./~!$&'()*+,;=:@%?-]*)?", re.ASCII
)
LABEL = r"[a-z0-9-]+"


def parts_of(job: JobView, showings: Mapping[str, tuple[JobSchema, Showing]]) -> list[Part]:
    """What is shown of a job, beside its payload and result."""
    schema, showing = showings.get(job.name, (None, None))
    if schema is None or showing is None or schema.queue != job.queue:
        return []
    seen = Seen(job.name, _read(schema.payload, job.data), _read(schema.result, job.result))
    return [_usable(part, showing.below) for part in showing.parts(seen)[:MOST_PARTS]]


def pictures_of(parts: Sequence[Part]) -> str:
    """The sources of the pictures among these parts, as a policy has them: each with its path."""
    pictures = (urlsplit(str(part.url)) for part in parts if isinstance(part, Picture))
    places = (f"{url.scheme}://{url.netloc}{url.path}" for url in pictures)
    return " ".join(dict.fromkeys(place.replace(";", "%3B").replace(",", "%2C") for place in places))


def policy_with(pictures: str) -> str:
    """The policy of a page that may load these pictures."""
    return POLICY.replace("img-src 'self'", f"img-src 'self' {pictures}".strip())


def is_below(url: str, places: Sequence[str]) -> bool:
    """Whether an address is below one of these places, however a browser would read it."""
    if len(url) > LONGEST or not ADDRESS.fullmatch(url):
        return False
    if {".", ".."} & {unquote(segment) for segment in urlsplit(url).path.split("/")}:
        return False
    return any(re.match(re.escape(place).replace(r"\*", LABEL), url) for place in places if place.endswith("/"))


def _read(model: type[BaseModel] | None, value: Any) -> BaseModel | None:
    try:
        return None if model is None or value is None else model.model_validate(value)
    except ValidationError:
        return None


def _usable(part: Part, below: Sequence[str]) -> Part:
    """The part, or in place of an address that can't be used what became of it."""
    if not isinstance(part, (Picture, Link)):
        return part
    if part.until is not None and part.until < time.time():
        return Words(f"{part.name}: its link has expired.")
    if not is_below(str(part.url), below):
        return Words(f"{part.name}: not shown, because its address is not below those that this process knows.")
    return part
