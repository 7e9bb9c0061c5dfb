"""Which of several texts suits a person's locale."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.locales import check_locales, lookup, plain

TAGS = st.lists(st.sampled_from(["de", "DE", "at", "zh", "Hant", "TW", "1996"]), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("de", "de"),
        ("de-AT", "de"),
        ("DE_at", "de"),
        ("pt-BR", "pt-br"),
        ("pt-PT", None),
        ("zh-Hant-TW", "zh-hant"),
        ("de_AT.UTF-8", "de"),
        (" de-CH,de;q=0.9,en;q=0.8", "de"),
        ("deu", None),
        ("", None),
        ("-", None),
        ("\0de", None),
        ("d" * 100_000, None),
    ],
    ids=lambda each: repr(each)[:20],
)
def test_the_most_special_text_is_found(wanted: str, found: str | None) -> None:
    """Region and script are left out one after another; a language is no other one."""
    assert found == lookup(wanted, {key: key for key in ("de", "en", "pt-br", "zh-hant")})


@given(TAGS, st.lists(TAGS.map("-".join), max_size=5))
def test_what_is_found_is_a_beginning_and_none_is_longer(tags: list[str], locales: list[str]) -> None:
    """For any locale and texts."""
    texts = {plain(each): each for each in locales}
    beginnings = ["-".join(tags[:end]) for end in range(len(tags), 0, -1)]

    expected = next((texts[plain(each)] for each in beginnings if plain(each) in texts), None)

    assert expected == lookup("_".join(tags), texts)


@pytest.mark.parametrize(
    ("locales", "reason"),
    [
        (["default"], "default is no locale: the text for all others is `payload`, beside `payloads`"),
        (["de", "x y"], "'x y' is no locale"),
        (["de\n"], "is no locale"),
        (["de-AT", "de_at"], "de_at is there twice"),
    ],
    ids=["default", "space", "line", "twice"],
)
def test_other_keys_are_refused(locales: list[str], reason: str) -> None:
    """A typing error would be a text that nobody gets."""
    with pytest.raises(ValueError, match=reason):
        check_locales(dict.fromkeys(locales, 1))
