"""The TypeScript of the docs: each block is a file of a Next.js app, and begins with its path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.docs import PAGES, PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# Pages for an app in which `npx pushmill init` ran.
OF_INIT = (PROJECT / "docs" / "quick-start.md", PROJECT / "packages" / "next" / "README.md")
# Those that need more parts of it than the defaults.
OF_ALL_PARTS = (PROJECT / "docs" / "notifications.md", PROJECT / "docs" / "preferences.md")
BY_HAND = tuple(page for page in PAGES if page not in (*OF_INIT, *OF_ALL_PARTS))
BLOCK = re.compile(r"^```(?:tsx?|jsx?|mjs|javascript|typescript)\n(.*?)^```", re.DOTALL | re.MULTILINE)
PATH = re.compile(r"// ([\w./\[\]-]+\.m?tsx?)(?:, (in place of) its (\w+))?")


@dataclass(frozen=True, slots=True)
class Block:
    """A file, or the text that replaces the constant named `instead_of` in one."""

    path: str
    code: str
    instead_of: str | None


def blocks(pages: Iterable[Path] = BY_HAND) -> list[Block]:
    """Those of the pages. A block that does not begin with a path raises ValueError."""
    return [_block(page, code) for page in pages for code in BLOCK.findall(page.read_text())]


def _block(page: Path, code: str) -> Block:
    found = PATH.match(code)
    if found is None:
        msg = f"{page}: a block does not begin with a comment that names its file: {code[:80]!r}"
        raise ValueError(msg)
    return Block(found[1], code, found[3])


def files(pages: Iterable[Path] = BY_HAND) -> dict[str, str]:
    """Path -> code, for a reader who follows the first instructions of the docs."""
    return {block.path: block.code for block in blocks(pages) if block.instead_of is None}


def variants() -> dict[str, str]:
    """Path -> code of the files that another block says how to change."""
    return {block.path: _with(files()[block.path], block) for block in blocks() if block.instead_of is not None}


def _with(code: str, block: Block) -> str:
    changed, count = re.subn(
        rf"^export const {block.instead_of} = .*\n", block.code.split("\n", 1)[1], code, flags=re.MULTILINE
    )
    if count != 1:
        msg = f"{block.path} has no {block.instead_of} to be replaced"
        raise ValueError(msg)
    return changed


def write(folder: Path, program: dict[str, str]) -> None:
    """Write the files to their paths."""
    for path, code in program.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(code)
