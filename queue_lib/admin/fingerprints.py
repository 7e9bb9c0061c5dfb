"""Fingerprints of jobs: short texts by which a client sees that a job has changed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def fingerprint(fields: Sequence[object] | None) -> str | None:
    """A short text that changes when one of the job's fields does; None for a job without fields."""
    if fields is None or all(field is None for field in fields):
        return None
    return hashlib.blake2b(repr(fields).encode(errors="replace"), digest_size=9).hexdigest()
