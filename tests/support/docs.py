"""The docs' pages, and the commands in them."""

from __future__ import annotations

import importlib
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer.main

PROJECT = Path(__file__).parents[2]
PAGES = (
    *(PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "scripts/README.md")),
    *sorted((PROJECT / "docs").rglob("*.md")),
)
PROGRAMS = "curl|git|heroku|make|npx|pip|python|redis-cli|rq"
BLOCK = re.compile(rf"^ {{4}}((?:{PROGRAMS}) .*)$", re.MULTILINE)
SPAN = re.compile(rf"`((?:{PROGRAMS})\s[^`]+)`")


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a page, as words. `greps` is searched for in its output; a comment is left out."""

    page: str
    words: tuple[str, ...]
    greps: str | None = None

    @property
    def script(self) -> str | None:
        """The script of `python -m scripts.<script>`."""
        return self.words[2].removeprefix("scripts.") if self.words[:2] == ("python", "-m") else None

    def __str__(self) -> str:
        return shlex.join(self.words)


def without_code(text: str) -> str:
    """A page without its fenced blocks, which have other languages and tests of their own."""
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def commands() -> list[Command]:
    """Each command once, in the order of the pages."""
    found = [
        Command(str(page.relative_to(PROJECT)), *_parts(line))
        for page in PAGES
        for line in _lines(without_code(page.read_text()))
    ]
    return list({(command.words, command.greps): command for command in found}.values())


def _lines(text: str) -> list[str]:
    return BLOCK.findall(text) + [" ".join(span.split()) for span in SPAN.findall(text)]


def _parts(line: str) -> tuple[tuple[str, ...], str | None]:
    """The words of a command, and the text that is grepped for in its output."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;")
    lexer.whitespace_split, lexer.commenters = True, "#"
    words = list(lexer)
    end = next((number for number, word in enumerate(words) if word in {"|", "&&", ";"}), len(words))
    rest = words[end + 1 :]
    return tuple(words[:end]), rest[-1] if rest[:1] == ["grep"] else None


def own_jobs_module() -> str:
    """The module jobs.py of docs/own-jobs.md."""
    [code] = re.findall(
        r"^```python\n(# jobs\.py\n.*?)^```", (PROJECT / "docs/own-jobs.md").read_text(), re.MULTILINE | re.DOTALL
    )
    return str(code)


def anchors(text: str) -> set[str]:
    """The headings of a page as links name them."""
    headings = re.findall(r"^#+ (.+)$", without_code(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def parser(script: str) -> Any:
    """The command line of a script: a `click.Command` of the click that typer has in it."""
    return typer.main.get_command(importlib.import_module(f"scripts.{script}").app)
