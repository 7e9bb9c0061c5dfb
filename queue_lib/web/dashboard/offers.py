"""Actions on many jobs or dead letters: no more than the page offered, and none that failed after it was made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query

AT_ONCE = 1000  # jobs or dead letters of one action
LONGEST = 15.0  # seconds of one action: routers give up after 30
QUICK = 0.1  # seconds after which a page looks at no more jobs or letters, and says how far it came


@dataclass(frozen=True, slots=True)
class Seen:
    """The page that the reader saw: made at `at`, in seconds since the epoch, and offering `most` items."""

    at: float
    most: int


def seen_of(seen: Annotated[float, Query(gt=0)], most: Annotated[int, Query(ge=1, le=AT_ONCE)]) -> Seen:
    """As the page has put it into the action's address."""
    return Seen(seen, most)


AsSeen = Annotated[Seen, Depends(seen_of)]


@dataclass(frozen=True, slots=True)
class Offer:
    """What a page offers to act on: in words, and the most items."""

    words: str
    most: int


def offer(count: int | None, noun: str) -> Offer:
    """The offer for `count` items; None if the number is not known."""
    if count is None:
        return Offer(f"up to {AT_ONCE:,} {noun}s", AT_ONCE)
    if count > AT_ONCE:
        return Offer(f"the newest {AT_ONCE:,} of {count:,} {noun}s", AT_ONCE)
    return Offer(f"{count:,} {noun}{'' if count == 1 else 's'}", count)
