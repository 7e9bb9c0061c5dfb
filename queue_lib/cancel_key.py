"""What a cancel key may be, and how long it stays cancelled."""

from __future__ import annotations

from queue_lib.errors import PermanentError
from queue_lib.queues import DAY

LONGEST_KEY = 200  # characters
LONGEST = 28 * DAY  # seconds
CANCELLED_FOR = DAY  # seconds, by default


def checked(key: object, seconds: float) -> str:
    """The key as a text. Raises PermanentError for what is no key, and no number of seconds up to 28 days."""
    text = str(key) if isinstance(key, str | int) and not isinstance(key, bool) else ""
    if not 0 < len(text) <= LONGEST_KEY:
        msg = f"cancelKey: not a text of 1 to {LONGEST_KEY} characters, or a number"
        raise PermanentError(msg)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= LONGEST:
        msg = "seconds: not more than 0, or more than 28 days"
        raise PermanentError(msg)
    return text
