"""Virtual environments with the packages of a requirements file, and nothing else: made of links, in a second."""

from __future__ import annotations

import sysconfig
import venv
from importlib import metadata
from typing import TYPE_CHECKING

from tests.support.requirements import installed

if TYPE_CHECKING:
    from pathlib import Path


def environment(folder: Path, *files: str) -> Path:
    """Install these requirements files into `folder`, out of the tests' own environment; returns its Python."""
    venv.create(folder, symlinks=True, with_pip=False)
    site = folder / sysconfig.get_path("purelib", vars={"base": ""}).lstrip("/")
    for package in {name for file in files for name in installed(file)}:
        distribution = metadata.distribution(package)
        for top in {path.parts[0] for path in distribution.files or ()} - {"..", "__pycache__"}:
            link = site / top
            if not link.is_symlink():
                link.symlink_to(str(distribution.locate_file(top)))
    return folder / "bin" / "python"
