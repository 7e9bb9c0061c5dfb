"""The packed package: its entries resolve as they should, and what a browser or an Edge function loads is small."""

from __future__ import annotations

import gzip
import re
import tarfile
from typing import TYPE_CHECKING

import pytest

from tests.support import package
from tests.support.node import NEXT
from tests.support.package import MODULES

if TYPE_CHECKING:
    from pathlib import Path

ESBUILD = NEXT / "node_modules" / ".bin" / "esbuild"
ROW = re.compile(r"\| `(\S+)` from `(pushmill/\w+)` \| ([\d.]+) \|")
README = (package.SOURCE / "README.md").read_text()
SIZES = [(name, entry, float(most)) for name, entry, most in ROW.findall(README)]
# What a page or an Edge function loads of one entry. Of pushmill/react an app loads the hooks that it uses.
LARGEST = {"pushmill/http": 2.0, "pushmill/sw": 2.0, "pushmill/react": 2.0}


def test_publint_finds_nothing(tarball: Path, tmp_path: Path) -> None:
    """Not even a suggestion."""
    said = package.run(MODULES / ".bin" / "publint", "run", tarball, "--strict", cwd=tmp_path)

    assert "All good!" in said.splitlines()[-1]  # in colours, where CI is set


@pytest.mark.parametrize(
    ("profile", "entries"), [("node16", [".", "bullmq"]), ("esm-only", ["http", "next", "outbox", "react", "sw"])]
)
def test_the_types_are_not_wrong(tarball: Path, tmp_path: Path, profile: str, entries: list[str]) -> None:
    """As `attw` sees them. Two entries can be required, too; the others are ES modules alone."""
    package.run(MODULES / ".bin" / "attw", tarball, "--profile", profile, "--entrypoints", *entries, cwd=tmp_path)


def test_only_what_an_app_needs_is_packed(tarball: Path) -> None:
    """No sources, tests or configuration."""
    with tarfile.open(tarball) as archive:
        names = {name.removeprefix("package/").split("/")[0] for name in archive.getnames()}

    assert {"package.json", "README.md", "LICENSE", "dist", "models.prisma", "templates"} == names


def test_no_import_may_be_large() -> None:
    """The README's table has all entries that a page or an Edge function loads."""
    single = [(name, entry, most) for name, entry, most in SIZES if name != "*"]

    assert set(LARGEST) == {entry for _, entry, _ in single}
    assert all(most <= LARGEST[entry] for _, entry, most in single)


@pytest.mark.parametrize(("name", "entry", "most"), SIZES, ids=[f"{entry}:{name}" for name, entry, _ in SIZES])
def test_what_is_loaded_is_as_small_as_the_readme_says(
    tarball: Path, tmp_path: Path, name: str, entry: str, most: float
) -> None:
    """One import, as a bundler ships it."""
    package.npm()
    package.install(tarball, tmp_path)
    (tmp_path / "app.js").write_text(f'export {name if name == "*" else f"{{ {name} }}"} from "{entry}";\n')

    package.run(
        ESBUILD,
        *("app.js", "--bundle", "--minify", "--format=esm", "--platform=browser", "--target=es2022"),
        *("--external:react", "--outfile=out.js"),
        cwd=tmp_path,
    )

    made = gzip.compress((tmp_path / "out.js").read_bytes(), 9, mtime=0)
    assert len(made) <= most * 1024, f"{name}: {len(made) / 1024:.2f} kB"
