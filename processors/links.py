"""Links that an app gives to its users' browsers."""

from __future__ import annotations

import re

# Browsers skip these wherever they are in a URL, or before it (https://url.spec.whatwg.org/#concept-basic-url-parser).
_SKIPPED = re.compile(r"\A[\x00-\x20]+|[\t\n\r]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")


def scheme_of(url: str) -> str | None:
    """The scheme as a browser reads it, in lower case; None for a relative URL."""
    found = _SCHEME.match(_SKIPPED.sub("", url))
    return found and found[1].lower()


def web_only(url: str | None) -> str | None:
    """The URL itself. Raises ValueError for one that is neither relative nor of the web, such as `javascript:`."""
    if url is not None and scheme_of(url) not in {None, "http", "https"}:
        msg = "must be http, https or relative"
        raise ValueError(msg)
    return url
