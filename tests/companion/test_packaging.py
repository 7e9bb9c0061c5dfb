"""The packed package: its entries resolve as they should, and what a browser or an Edge function loads is small."""

from __future__ import annotations

import gzip
import tarfile
from typing import TYPE_CHECKING

import pytest

from tests.support import package
from tests.support.node import NEXT
from tests.support.package import MODULES

if TYPE_CHECKING:
    from pathlib import Path

ESBUILD = NEXT / "node_modules" / ".bin" / "esbuild"
# Bytes, bundled for the browser, minified, and gzipped; react is the app's own. An app that uses one hook loads one.
SIZES = [
    ("usePush", "pushmill/react", 2048),
    ("useUpload", "pushmill/react", 1024),
    ("handlePush", "pushmill/sw", 2048),
    # Half of it follows events over lost connections. Only servers load it.
    ("createClient", "pushmill/http", 2600),
]


def test_publint_finds_nothing(tarball: Path, tmp_path: Path) -> None:
    """Not even a suggestion."""
    said = package.run(MODULES / ".bin" / "publint", "run", tarball, "--strict", cwd=tmp_path)

    assert "All good!" in said.splitlines()[-1]  # in colours, where CI is set


@pytest.mark.parametrize(
    ("profile", "entries"), [("node16", [".", "bullmq"]), ("esm-only", ["http", "next", "react", "sw"])]
)
def test_the_types_are_not_wrong(tarball: Path, tmp_path: Path, profile: str, entries: list[str]) -> None:
    """As `attw` sees them. Two entries can be required, too; the others are ES modules alone."""
    package.run(MODULES / ".bin" / "attw", tarball, "--profile", profile, "--entrypoints", *entries, cwd=tmp_path)


def test_only_what_an_app_needs_is_packed(tarball: Path) -> None:
    """No sources, tests or configuration."""
    with tarfile.open(tarball) as archive:
        names = {name.removeprefix("package/").split("/")[0] for name in archive.getnames()}

    assert {"package.json", "README.md", "LICENSE", "dist", "models.prisma", "templates"} == names


@pytest.mark.parametrize(("name", "entry", "most"), SIZES, ids=[name for name, _, _ in SIZES])
def test_what_is_loaded_is_small(tarball: Path, tmp_path: Path, name: str, entry: str, most: int) -> None:
    """One import, as a bundler ships it."""
    package.npm()
    package.install(tarball, tmp_path)
    (tmp_path / "app.js").write_text(f'export {{ {name} }} from "{entry}";\n')

    package.run(
        ESBUILD,
        *("app.js", "--bundle", "--minify", "--format=esm", "--platform=browser", "--target=es2022"),
        *("--external:react", "--outfile=out.js"),
        cwd=tmp_path,
    )

    made = gzip.compress((tmp_path / "out.js").read_bytes(), 9, mtime=0)
    assert len(made) <= most, f"{name}: {len(made)} bytes"
