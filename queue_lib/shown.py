"""What a feature shows of its jobs to operators, in parts that any page can draw: no feature draws a page itself.

A feature says it in its manifest (`Feature.shows`). A payload or a result comes from Redis, where anyone who has its
URL may have written it. So a part has texts, which the page escapes, and addresses, which the page uses only below
those of `Showing.below`: no job can make a reader's browser ask a server that the environment does not name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pydantic_settings import BaseSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MOST_PARTS = 50  # of a job
SettingsT = TypeVar("SettingsT", bound=BaseSettings)


@dataclass(frozen=True, slots=True)
class Words:
    """A sentence or two."""

    text: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values."""

    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of texts, as many as there are `columns`."""

    name: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Text:
    """A text of several lines, as it is."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """An image at `url`; `name` is said where it can't be seen. `until` is when the address expires, if it does."""

    url: str
    name: str
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """An address to open. `until` is when it expires, in seconds since the epoch, if it does."""

    url: str
    name: str
    until: float | None = None


Part = Words | Facts | Table | Text | Picture | Link


@dataclass(frozen=True, slots=True)
class Seen:
    """A job as a feature sees it to show it: each half is None if it is missing, or not what its model says."""

    name: str
    payload: Any = None
    result: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Showing:
    """What is shown of the jobs of a feature: the `parts` of one job.

    `below` are the addresses below which its pictures and links are, as `https://cdn.example/app/`. A `*` in a host
    stands for a label.
    """

    parts: Callable[[Seen], Sequence[Part]]
    below: tuple[str, ...] = ()


class Find(Protocol):
    """Gives the settings of a class, if the environment of this process has them, and without fault."""

    def __call__(self, model: type[SettingsT], /) -> SettingsT | None:
        """The settings; a process that shows jobs may lack those that their worker needs."""
