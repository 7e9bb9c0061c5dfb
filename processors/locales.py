"""Locales, and which of several texts suits a person's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")

PATTERN = r"^[A-Za-z]{2,8}([_-][A-Za-z0-9]{1,8}){0,3}$"
_LOCALE = re.compile(PATTERN)
# How the locale begins in what browsers and systems write: `de-AT,de;q=0.9`, `de_AT.UTF-8`.
_TAG = re.compile(r"\s*([A-Za-z0-9]+(?:[-_][A-Za-z0-9]+){0,8})")


def check_locales(texts: Mapping[str, T]) -> Mapping[str, T]:
    """The same texts by locale. Raises ValueError for a key that is no locale, or the same as another one."""
    known: set[str] = set()
    for locale in texts:
        if plain(locale) == "default":
            msg = "default is no locale: the text for all others is `payload`, beside `payloads`"
            raise ValueError(msg)
        if _LOCALE.fullmatch(locale) is None:
            msg = f"{locale[:50]!r} is no locale, such as de or pt-BR"
            raise ValueError(msg)
        if plain(locale) in known:
            msg = f"{locale} is there twice"
            raise ValueError(msg)
        known.add(plain(locale))
    return texts


def plain(locale: str) -> str:
    """A locale in the form in which they are compared: `de_AT` is `de-at`."""
    return locale.replace("_", "-").lower()


def lookup(wanted: str, texts: Mapping[str, T]) -> T | None:
    """The text for a locale, or for a more general one: `de-AT`, then `de` (RFC 4647, section 3.4); None without one.

    The keys of `texts` are as `plain` gives them. `wanted` may be any text.
    """
    tag = _TAG.match(wanted[:100])
    rest = plain(tag[1]) if tag else ""
    while rest and rest not in texts:
        rest = rest.rpartition("-")[0]
    return texts.get(rest)
