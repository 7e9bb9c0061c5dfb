"""The series that a PromQL expression selects."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
SELECTOR = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(\(|\{[^}]*\})?")
MATCHER = re.compile(r'\s*(\w+)\s*(=~|!~|=|!=)\s*"([^"]*)"\s*,?')
WORDS = frozenset({"and", "or", "unless", "bool", "offset", "inf", "nan"})


@dataclass(frozen=True, slots=True)
class Selector:
    """A metric's name, and the conditions for its labels."""

    name: str
    matchers: tuple[tuple[str, str, str], ...]

    def admits(self, name: str, labels: Mapping[str, str]) -> bool:
        """Whether it selects a series."""
        return name == self.name and all(_matches(how, labels.get(label), value) for label, how, value in self.matchers)


def _matches(how: str, actual: str | None, wanted: str) -> bool:
    if actual is None:  # Prometheus takes a missing label for an empty one; in our rules it is a mistake
        return False
    found = actual == wanted if how in {"=", "!="} else re.fullmatch(wanted, actual) is not None
    return found == (how in {"=", "=~"})


def selectors(expression: str) -> list[Selector]:
    """The selectors of an expression: not its functions, nor the labels that it groups by."""
    plain = re.sub(r"\[[^\]]*\]", "", GROUPING.sub(" ", expression))
    return [
        Selector(name, tuple(MATCHER.findall(rest)))
        for name, rest in SELECTOR.findall(re.sub(r"\b\d[\w.]*", "", plain))
        if rest != "(" and name not in WORDS
    ]


def grouped_by(expression: str) -> set[str]:
    """The labels that the expression groups or joins by."""
    return {label.strip() for labels in GROUPING.findall(expression) for label in labels.split(",") if label.strip()}
