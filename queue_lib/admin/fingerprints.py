"""What tells whether a job has got on since somebody looked."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def mark(fields: Sequence[object] | None) -> str | None:
    """A short text of a job's fields, another one if any of them changes; None if it has none."""
    if fields is None or all(field is None for field in fields):
        return None
    return hashlib.blake2b(repr(fields).encode(errors="replace"), digest_size=9).hexdigest()
