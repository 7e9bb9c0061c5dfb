"""The npm package `pushmill`, packed as it would be published."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

from tests.support.docs import PROJECT
from tests.support.programs import CiSettings, find_program

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = PROJECT / "packages" / "next"
MODULES = SOURCE / "node_modules"
PATIENCE = 300.0  # seconds, on a machine that is busy with other tests


def npm() -> str:
    """The path of npm. Without it or the packages the test is skipped, and fails in CI."""
    settings = CiSettings()
    found = find_program(settings, "npm is not installed", "npm")
    if not MODULES.is_dir():
        missing = f"{MODULES} is not installed; `make setup` does it"
        pytest.fail(missing) if settings.ci else pytest.skip(missing)
    return found


def run(*command: str | Path, cwd: Path, may_fail: bool = False) -> str:
    """Run a program; returns its output, which is in the error if it fails."""
    done = subprocess.run(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE, check=False
    )
    assert may_fail or done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="session")
def tarball(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, built and packed from a copy of its sources, once for all processes of this run."""
    program = npm()
    folder = tmp_path_factory.getbasetemp()
    if hasattr(request.config, "workerinput"):  # one of several: the folder above is that of the run
        folder = folder.parent
    copy = folder / "packed" / "pushmill"
    with (folder / "packing").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not list(copy.glob("*.tgz")):
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(SOURCE, copy, ignore=shutil.ignore_patterns("node_modules", "dist", "*.tgz"))
            (copy / "node_modules").symlink_to(MODULES)
            run(program, "run", "tarball", cwd=copy)
    return next(copy.glob("*.tgz"))


def install(tarball: Path, app: Path, *needs: str, modules: Path = MODULES) -> Path:
    """Unpack the package into an app's `node_modules`, and link there what the app `needs` of `modules`.

    Returns the package's folder.
    """
    folder = app / "node_modules"
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(tarball) as archive:
        archive.extractall(folder, filter="data")
    (folder / "package").rename(folder / "pushmill")
    for name in needs:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).symlink_to(modules / name)
    return folder / "pushmill"
