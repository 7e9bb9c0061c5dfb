"""A stack trace as it is read: the exception first, then where it was raised, the innermost frame first.

Python prints the outermost frame first, and the exception last; Node prints them the other way round. Frames of
libraries come in groups, which the page folds: what a team can change stands out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from queue_lib.outcome import MAX_STACK

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

PYTHON = re.compile(r'^[ |]*File "([^"\n]{0,1000})", line \d+(?:, in .*)?$', re.MULTILINE)
NODE = re.compile(r"^[ \t]+at (.*)$", re.MULTILINE)
MARGIN = re.compile(r"^ *(?:\| ?|\+ (?=Exception))")  # of an exception group
RULE = re.compile(r"^ *\+[-+]{3,}+[ \d.]*+-*$")  # above each of its exceptions
LIBRARY = re.compile(r"/(?:site-packages|dist-packages|node_modules)/|/lib(?:64)?/python3[^/]*/|/queue_lib/|^<|\bnode:")
PACKAGE = re.compile(r"/(?:site-packages|dist-packages)/([^/.]+)")
HEAD = ("Traceback (most recent call last):", "Exception Group Traceback (most recent call last):")
# What stands between two exceptions of Python, and what is said where the later one comes first.
BETWEEN = {
    "During handling of the above exception, another exception occurred:": "Raised while this was handled:",
    "The above exception was the direct cause of the following exception:": "Its cause:",
}


@dataclass(frozen=True, slots=True)
class StackFrame:
    """A place in the code. `text` has its line, and the code if the trace has it."""

    text: str
    is_own: bool


@dataclass(frozen=True, slots=True)
class Frames:
    """Frames beside each other that are all a team's own, or all of libraries."""

    is_own: bool
    frames: Sequence[StackFrame]


@dataclass(frozen=True, slots=True)
class Raised:
    """An exception, and where it was raised: the innermost frame first. `before` says how it led to the one above."""

    error: str
    groups: Sequence[Frames]
    before: str

    @property
    def has_own(self) -> bool:
        """Whether a frame is a team's own."""
        return any(group.is_own for group in self.groups)


@dataclass(slots=True)
class _Part:
    """An exception while it is read, in the order of the text. `after` is the line between it and the one before."""

    after: str = ""
    frames: list[list[str]] = field(default_factory=list)
    error: list[str] = field(default_factory=list)


def parsed(text: str, own: Collection[str] = ()) -> list[Raised]:
    """The exceptions of a trace, the last one first; an empty list if the text is no trace.

    `own` are the packages and modules of a team: its frames are its own, wherever they are installed.
    """
    if PYTHON.search(text):
        return _of_python(text[-MAX_STACK:], own)
    return _of_node(text[:MAX_STACK], own) if NODE.search(text) else []


def _of_python(text: str, own: Collection[str]) -> list[Raised]:
    parts = [part for part in _python_parts(text) if part.frames or part.error]
    followed_by = [*(part.after for part in parts[1:]), ""]
    return [
        Raised("\n".join(part.error).strip(), _grouped(reversed(part.frames), own), BETWEEN.get(after, ""))
        for part, after in zip(reversed(parts), reversed(followed_by), strict=True)
    ]


def _python_parts(text: str) -> Iterator[_Part]:
    """In the order of the text. A margin shows the exceptions of a group."""
    part = _Part()
    for line in text.splitlines():
        plain = MARGIN.sub("", line)
        if plain.strip() in BETWEEN or RULE.match(line):
            yield part
            part = _Part(after=plain.strip())
        elif plain.strip() in HEAD or PYTHON.match(plain):
            if part.error and any(part.error):
                yield part
                part = _Part()
            if plain.strip() not in HEAD:
                part.frames.append([plain.strip()])
        elif part.frames and not part.error and plain.startswith("  "):
            part.frames[-1].append(plain[2:])
        elif plain.strip() or part.error:
            part.error.append(plain)
    yield part


def _of_node(text: str, own: Collection[str]) -> list[Raised]:
    parts = [_Part()]
    for line in text.splitlines():
        found = NODE.match(line)
        if found:
            parts[-1].frames.append([found[0].strip()])
            continue
        if parts[-1].frames and line.strip(" {}"):
            parts.append(_Part())
        if line.strip(" {}"):
            parts[-1].error.append(line)
    return [Raised("\n".join(part.error).strip(), _grouped(part.frames, own), "") for part in parts]


def _grouped(frames: Iterator[list[str]] | Sequence[list[str]], own: Collection[str]) -> list[Frames]:
    """`frames` are the lines of each, the first one with its place."""
    seen = (StackFrame("\n".join(lines), _is_own(lines[0], own)) for lines in frames)
    return [Frames(is_own, tuple(group)) for is_own, group in groupby(seen, key=lambda frame: frame.is_own)]


def _is_own(place: str, own: Collection[str]) -> bool:
    found = PYTHON.match(place)
    path = (found[1] if found else place).replace("\\", "/")
    package = PACKAGE.search(path)
    return (package is not None and package[1] in own) or not LIBRARY.search(path)
