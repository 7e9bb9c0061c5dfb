"""Reasons without what differs from job to job, so that dead letters of one cause make one group.

A number, an id, a quoted text, a path or an address becomes a mark; a status such as 503 stays, because it says what
went wrong.
"""

from __future__ import annotations

import re
from functools import lru_cache

LONGEST = 300  # characters of a reason that are looked at
VARIES, NUMBER = "…", "#"

_QUOTED = re.compile(r'"[^"]*"|“[^”]*”|`[^`]*`|(?<!\w)\'[^\']*\'(?!\w)')
_WORD = re.compile(r"[^\s()\[\]{}<>;]+")
_EDGES = ".,:!?'\"“”`"
_STATUS = re.compile(r"[1-5]\d\d", re.ASCII)  # of HTTP or SMTP
_NUMBER = re.compile(r"[+-]?\d[\d.,:+-]*[a-zA-Z%]{0,3}", re.ASCII)  # also times, amounts and versions
_TYPE = re.compile(r"(application|audio|font|image|text|video)/[a-z0-9.+-]+", re.ASCII)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]{0,6}", re.ASCII)  # S3, utf8


def gist(reason: str) -> str:
    """The reason without what varies, in one line of at most 300 characters. It never fails, whatever the text is."""
    return _gist(reason[:LONGEST])


@lru_cache(maxsize=2000)
def _gist(reason: str) -> str:
    """Most dead letters of a bad night have one and the same reason."""
    text = _QUOTED.sub(VARIES, " ".join(reason.split()))
    return _WORD.sub(lambda found: _general(found[0]), text)


def _general(word: str) -> str:
    core = word.strip(_EDGES)
    return word if core.isalpha() or not core else word.replace(core, _mark(core), 1)


def _mark(word: str) -> str:
    """The word itself, or the mark of what it is."""
    scheme, is_address, rest = word.partition("://")
    if is_address:
        return f"{scheme}://{rest.partition('/')[0]}/{VARIES}"
    if any(known.fullmatch(word) for known in (_STATUS, _NAME, _TYPE)):
        return word
    if _NUMBER.fullmatch(word):
        return NUMBER
    return VARIES if "@" in word or _is_path(word) or any(letter.isdigit() for letter in word) else word


def _is_path(word: str) -> bool:
    """A file or a folder, and no two words such as read/write."""
    return word.count("/") > 1 or word.startswith("/") or ("/" in word and "." in word.rpartition("/")[2])
