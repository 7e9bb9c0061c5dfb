"""The address of a page of the app: below APP_INTERNAL_URL, whatever a payload says. Pure."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes, urlencode, urlsplit

from queue_lib.errors import PermanentError

# RFC 3986, 3.3 and 3.4: what a path and a query may have, with percent-encodings.
PATH = re.compile(r"(/([A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})*)+")
QUERY = re.compile(r"([A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*")
SEPARATOR = re.compile(rb"[\x00-\x1f\x7f/\\%?#]")
REFUSED = (
    "dataSource: not a path of the app such as app:/api/top?limit=10: no //, no . and .., no backslash or #, other "
    "characters percent-encoded once"
)


def app_url(base: str, path: str, params: dict[str, object]) -> str:
    """The URL of `path`, with the params added to its query. Raises PermanentError for a path that might lead away."""
    path, _, query = path.partition("?")
    if not PATH.fullmatch(path) or not QUERY.fullmatch(query) or not all(map(_is_plain, _segments(path))):
        raise PermanentError(REFUSED)
    if not all(isinstance(value, str | int | float) for value in params.values()):
        msg = "params: those of a page are texts, numbers and booleans"
        raise PermanentError(msg)
    added = urlencode([(name, _text(value)) for name, value in params.items()], errors="replace")
    queries = "&".join(part for part in (query, added) if part)
    url = f"{base}{path}{'?' if queries else ''}{queries}"
    here, there = urlsplit(base), urlsplit(url)
    if (here.scheme, here.netloc) != (there.scheme, there.netloc) or not there.path.startswith(f"{here.path}/"):
        raise PermanentError(REFUSED)
    return url


def _segments(path: str) -> list[str]:
    """Those of the path; with a slash at its end, as some apps have it, without the empty one."""
    return path[1:].removesuffix("/").split("/") if path != "/" else []


def _is_plain(segment: str) -> bool:
    """Whether servers and proxies agree on what it is: nothing that decodes to a separator, or to yet another code."""
    plain = unquote_to_bytes(segment)
    # Some servers leave out what follows a semicolon.
    return plain.partition(b";")[0] not in {b"", b".", b".."} and SEPARATOR.search(plain) is None


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
