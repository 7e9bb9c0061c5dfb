"""The names of an export: its storage key, and what browsers call the file. Pure."""

from __future__ import annotations

import hashlib
import re
from urllib.parse import quote

_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,64}")
_UNFIT = re.compile(r'[\\/:*?"<>|]')  # in names of files, on some systems
LONGEST = 120  # characters of a name, without its ending
NOBODY = "all"


def key_of(user_id: str | None, job_id: str, token: str, ending: str) -> str:
    """`exports/<user>/<job>-<token><ending>`; an id that is not plain is a digest of it."""
    user = NOBODY if user_id is None else _plain(user_id)
    return f"exports/{user}/{_plain(job_id)}-{token}{ending}"


def file_name(wanted: str | None, name: str, ending: str) -> str:
    """The name as any system can have it: no path, no control or format character, and with the right ending."""
    text = (wanted or "").encode(errors="ignore").decode()
    text = _UNFIT.sub("_", "".join(letter if letter.isprintable() else " " for letter in text))
    if text.lower().endswith(ending):
        text = text[: -len(ending)]
    text = " ".join(text.split())[:LONGEST].strip(". ")
    return f"{text or name}{ending}"


def disposition(filename: str) -> str:
    """The value of Content-Disposition: RFC 6266, with the plain name for those who do not know RFC 8187's."""
    plain = re.sub(r"[^ -~]|[%\"\\]", "_", filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


def _plain(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:32]
