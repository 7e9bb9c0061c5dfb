"""A text that is too long for a push message: its beginning, cut between what a reader sees as characters. Pure."""

from __future__ import annotations

import json
from bisect import bisect_right
from itertools import accumulate

ELLIPSIS = "…"
# Bytes of a character in a JSON string, where that is not its length in UTF-8.
_ESCAPED = {character: len(json.dumps(character, ensure_ascii=False)) - 2 for character in map(chr, range(0x80))}


def shortened(text: str, room: int) -> str:
    """The beginning of a `text` that is too long, and an ellipsis, in at most `room` (3 or more) bytes of JSON.

    No cluster is cut, and no space is left before the ellipsis.
    """
    import regex  # noqa: PLC0415 -- few bodies are too long, and it takes more than a MiB

    room -= len(ELLIPSIS.encode())
    sizes = accumulate(map(_size, text[:room]))  # each has at least a byte
    fit = bisect_right(list(sizes), room)
    beginning = text[: fit + 1]  # one character more tells whether a cluster ends before it
    # \X is an extended grapheme cluster (UAX #29): a letter with its accents, a flag, a family of emoji.
    clusters, end = regex.findall(r"\X", beginning), len(beginning)
    while clusters and (end > fit or clusters[-1].isspace()):
        end -= len(clusters.pop())
    return text[:end] + ELLIPSIS


def _size(character: str) -> int:
    """Bytes of a character in a JSON string."""
    return _ESCAPED.get(character) or len(character.encode(errors="replace"))
