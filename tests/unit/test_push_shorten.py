"""How a text is shortened: to the size that fits, and between what a reader sees as characters."""

from __future__ import annotations

import json

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from processors.push.shorten import shortened

FLAGS = "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7\U0001f1ec\U0001f1e7"  # three countries
ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"  # a flag of seven characters
FAMILY = "👩\u200d👧"
HAN = "\u1112\u1161\u11ab"  # a Hangul syllable in three jamo
KSHA = "\u0915\u094d\u0937"  # a Devanagari conjunct
KAM = "\u0e01\u0e33"  # a Thai letter and its vowel
# What a text may have that is not a byte a character, or may not be cut.
PIECES = [
    *'"\\\n\x00\x7f é€',
    "\r\n",
    "👍🏽",
    "\u0301",
    "\ufe0f",
    "\u200d",
    "\ud83d",
    FLAGS,
    ENGLAND,
    FAMILY,
    HAN,
    KSHA,
    KAM,
]
TEXT = st.lists(st.characters() | st.sampled_from(PIECES), max_size=300).map("".join)


def size(text: str) -> int:
    """Bytes of a text in a JSON string, as it is sent."""
    return len(json.dumps(text, ensure_ascii=False).encode(errors="replace")) - 2


@given(TEXT, st.integers(3, 300))
def test_no_cut_splits_a_grapheme(text: str, room: int) -> None:
    """Nor is more cut than needed: the next one would not have fitted."""
    if size(text) <= room:
        return
    kept = shortened(text, room).removesuffix("…")

    clusters: list[str] = regex.findall(r"\X", text)
    ends = ["".join(clusters[:number]) for number in range(len(clusters) + 1)]
    fit = max((end for end in ends if size(end) <= room - 3), key=len)
    while fit and clusters[ends.index(fit) - 1].isspace():
        fit = ends[ends.index(fit) - 1]
    assert fit == kept


@pytest.mark.parametrize(
    ("text", "room", "expected"),
    [
        ("abcdef", 5, "ab…"),
        ("äöüß", 7, "äö…"),
        ('a"b"c', 6, 'a"…'),
        ("a\x00bcdef", 9, "a…"),
        ("a\x00bcdef", 10, "a\x00…"),
        ("line\nline", 8, "line…"),
        ("line\r\nline", 10, "line…"),
        ("\x7f\x7fabcd", 5, "\x7f\x7f…"),
        ("\ud83d\ud83dabcd", 5, "\ud83d\ud83d…"),
        ("one two three", 7, "one…"),
        ("ae\u0301x", 5, "a…"),
        ("a☂\ufe0fbcd", 8, "a…"),
        ("1\ufe0f\u20e3" * 2, 12, "1\ufe0f\u20e3…"),
        ("ok👍🏽", 9, "ok…"),
        ("e" + "\u0301" * 9, 9, "…"),
        ("no room", 3, "…"),
    ],
)
def test_characters_are_left_whole(text: str, room: int, expected: str) -> None:
    """No accent, skin tone or keycap is cut off from its base; escapes count as written."""
    assert shortened(text, room) == expected


@pytest.mark.parametrize("cluster", [FLAGS[:2], ENGLAND, FAMILY, HAN, KSHA, KAM])
def test_clusters_are_left_whole(cluster: str) -> None:
    """Flags, Hangul in jamo, Devanagari and Thai: as many as fit, and no half of another."""
    bytes_of_one = len(cluster.encode())
    for room in range(3, 3 + 3 * bytes_of_one):
        assert shortened(cluster * 4, room) == cluster * ((room - 3) // bytes_of_one) + "…"
