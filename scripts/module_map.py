"""Make docs/map.md from the beginning of each module's docstring.

`python -m scripts.module_map` prints it; `--write` writes the page.
"""

from __future__ import annotations

import ast
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT = Path(__file__).resolve().parents[1]
PAGE = PROJECT / "docs" / "map.md"
ROOTS = ("worker.py", "web.py", "queue_lib", "processors", "storage", "scripts", "embedded", "demo")
HEAD = """# The map

Each module of the product, with the beginning of its docstring. `python -m scripts.module_map --write` makes this
page, and a test compares the two. [design.md](design.md) says how the folders work together.
"""

WriteOption = Annotated[bool, typer.Option("--write", help="Write the page into docs/map.md.")]

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def page() -> str:
    """The whole page: a table for each folder."""
    tables = []
    for folder, paths in groupby(modules(), key=lambda path: path.parent):
        rows = "".join(f"| `{path.name}` | {beginning(path)} |\n" for path in paths)
        tables.append(f"\n## {_heading(folder)}\n\n| module | what it is |\n|---|---|\n{rows}")
    return HEAD + "".join(tables)


def modules() -> Iterator[Path]:
    """The modules, folder by folder. A package's own docstring is no module, where it is all that `__init__` has."""
    for root in ROOTS:
        found = [PROJECT / root] if root.endswith(".py") else (PROJECT / root).rglob("*.py")
        yield from sorted((path for path in found if not _only_says(path)), key=lambda path: (path.parent, path.name))


def beginning(path: Path) -> str:
    """The first paragraph of a module's docstring, in one line."""
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    first = " ".join(text.split("\n\n")[0].split())
    return first.replace("|", "\\|")


def _heading(folder: Path) -> str:
    name = str(folder.relative_to(PROJECT))
    return "The top level" if name == "." else f"{name}/"


def _only_says(path: Path) -> bool:
    """Whether it is an `__init__.py` with a docstring and no code."""
    return path.name == "__init__.py" and len(ast.parse(path.read_text()).body) <= 1


@app.command(help=__doc__)
def main(*, write: WriteOption = False) -> None:
    """Print the page, or write it."""
    if write:
        PAGE.write_text(page())
    else:
        print(page(), end="")


if __name__ == "__main__":
    app()
