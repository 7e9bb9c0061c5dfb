"""Some fields of many hashes, read with few commands: `fields.lua` as both of redis-py's clients register it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

SCRIPT = (Path(__file__).parent / "fields.lua").read_text()
AT_ONCE = 250  # hashes of one command: the server is busy for less than a millisecond
BYTES = 4 * 1024 * 1024  # of values after which an answer ends
ANY = 2**40  # bytes of a first field, where none is too large


def arguments(names: Sequence[str], largest: int = ANY) -> list[str | int]:
    """ARGV. Instead of a first field of more than `largest` bytes its length is read."""
    return [largest, BYTES, *names]
