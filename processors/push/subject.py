"""The contact address in VAPID tokens, checked by the rules of the strictest push service.

Apple answers 403 "BadJwtToken" to a subject that it can't believe, and no other service does: unchecked, the fault
shows on iPhones only (https://github.com/web-push-libs/web-push/issues/947).
"""

from __future__ import annotations

import re

from yarl import URL

from processors.public_hosts import is_public_hostname

_PRINTABLE = re.compile(r"[!-~]+")
_LOCAL_PART = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}")
_WANTED = "use `mailto:` and a real address, as in mailto:ops@your-domain.com, or an https URL of a public host"


def check_subject(subject: str) -> str:
    """Return the subject if Apple takes it; ValueError otherwise, with a sentence that does not repeat it."""
    if subject.startswith("mailto:"):
        believable = _is_address(subject.removeprefix("mailto:"))
    else:
        believable = _is_public_url(subject)
    if not believable:
        msg = f"Apple's push service refuses it; {_WANTED}"
        raise ValueError(msg)
    return subject


def _is_address(address: str) -> bool:
    local, _, host = address.rpartition("@")
    return _LOCAL_PART.fullmatch(local) is not None and is_public_hostname(host.lower())


def _is_public_url(text: str) -> bool:
    if not text.startswith("https://") or _PRINTABLE.fullmatch(text) is None:
        return False
    try:
        url = URL(text, encoded=True)
        return url.raw_user is None and is_public_hostname((url.host or "").lower())
    except ValueError:
        return False
