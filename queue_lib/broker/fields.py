"""Some fields of many hashes, read with few commands: `fields.lua` as both of redis-py's clients register it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

SCRIPT = (Path(__file__).parent / "fields.lua").read_text()
AT_ONCE = 250  # hashes of one command: the server is busy for less than a millisecond
BYTES = 4 * 1024 * 1024  # of values after which an answer ends
ANY = 2**40  # bytes of a first field, where none is too large


async def batches(
    script: Any, ids: Sequence[str], key: Callable[[str], str], names: Sequence[str], largest: int = ANY
) -> AsyncIterator[Iterable[tuple[str, list[Any]]]]:
    """Each of these ids with the values that its hash has, some at a time: together they may have many megabytes.

    `script` is SCRIPT as redis-py's asyncio client registers it, and `key` makes the name of a hash.
    """
    left = list(ids)
    while left:
        found = await script(keys=[key(each) for each in left[:AT_ONCE]], args=arguments(names, largest))
        yield zip(left, found, strict=False)
        left = left[len(found) :]


def arguments(names: Sequence[str], largest: int = ANY) -> list[str | int]:
    """ARGV. Instead of a first field of more than `largest` bytes its length is read."""
    return [largest, BYTES, *names]
