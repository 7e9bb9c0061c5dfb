"""`next build` of the app, once for each state of the sources."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from demo.failure import DemoError
from demo.worker_process import PROJECT
from processors.sandbox.settings import PlatformSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

APP = PROJECT / "examples" / "next"
PACKAGE = PROJECT / "packages" / "next"
INSTALLED = APP / "node_modules" / "pushmill"
STAMP = APP / ".next" / "built-from"
# What the build itself writes, and what is no source.
LEFT_OUT = ("node_modules", ".next", "generated", "public/pushmill-sw.js", "next-env.d.ts", "tsconfig.tsbuildinfo")
PATIENCE = 600.0  # seconds for the build
OLDEST = (20, 19)  # of Node, for Prisma


def node_env() -> dict[str, str]:
    """The environment of Node's programs. `prisma generate` asks for a program that it does not use: any file will do.

    Source: https://www.prisma.io/docs/orm/reference/environment-variables-reference, PRISMA_SCHEMA_ENGINE_BINARY.
    """
    quiet = {"NEXT_TELEMETRY_DISABLED": "1", "PRISMA_SCHEMA_ENGINE_BINARY": sys.executable, "CHECKPOINT_DISABLE": "1"}
    return PlatformSettings().child_env() | {"HOME": str(Path.home())} | quiet


def build(log: Path) -> None:
    """Install the package as npm would publish it and build the app, unless that was done with the same sources.

    Raises DemoError if Node or a package is missing, or the build fails.
    """
    _require_node()
    with _alone():
        stamp = _fingerprint()
        if STAMP.is_file() and STAMP.read_text() == stamp:
            return
        _install_package()
        with log.open("wb") as out:
            done = subprocess.run(
                ["npm", "run", "--silent", "build"],  # noqa: S607 -- the npm on PATH
                cwd=APP,
                env=node_env(),
                stdout=out,
                stderr=subprocess.STDOUT,
                timeout=PATIENCE,
                check=False,
            )
        if done.returncode:
            msg = f"`next build` failed:\n{log.read_text(errors='replace')}"
            raise DemoError(msg)
        STAMP.write_text(stamp)


def _require_node() -> None:
    if shutil.which("node") is None or shutil.which("npm") is None:
        msg = "the example needs Node 20.19 or newer, with npm: install it (https://nodejs.org), and try again"
        raise DemoError(msg)
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout  # noqa: S607
    if tuple(map(int, said.lstrip("v").split(".")[:2])) < OLDEST:
        msg = f"the example needs Node 20.19 or newer, and this is {said.strip()}"
        raise DemoError(msg)
    for needed, command in ((APP / "node_modules" / "next", "make setup"), (PACKAGE / "dist", "make package")):
        if not needed.is_dir():
            msg = f"{needed} is missing: `{command}` makes it"
            raise DemoError(msg)


@contextmanager
def _alone() -> Iterator[None]:
    """One build at a time; a second one waits."""
    descriptor = os.open(APP, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)  # this also releases the lock


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for folder in (APP, PACKAGE / "dist"):
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder)
            if path.is_file() and not any(name.is_relative_to(other) for other in LEFT_OUT):
                digest.update(f"{name}\0{path.stat().st_size}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()


def _install_package() -> None:
    """Replace the package by what `npm pack` makes of it now: `npm ci` copied an older state of it."""
    with tempfile.TemporaryDirectory(dir=APP / "node_modules") as scratch:
        command = ["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", scratch]
        subprocess.run(command, cwd=PACKAGE, env=node_env(), check=True, capture_output=True)
        [packed] = Path(scratch).glob("*.tgz")
        with tarfile.open(packed) as archive:
            archive.extractall(scratch, filter="data")
        shutil.rmtree(INSTALLED, ignore_errors=True)
        Path(scratch, "package").rename(INSTALLED)
