"""What a process has in memory: declarations, and the features that it serves."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
HEAVY = ("PIL", "aiohttp", "sqlalchemy", "sqlmodel", "boto3", "psycopg", "cryptography", "pywebpush", "regex", "yarl")


@pytest.mark.slow
@pytest.mark.parametrize("module", ["web", "processors.features", "scripts.retry_failed"])
def test_manifests_import_nothing_heavy(module: str) -> None:
    """The web process and the scripts import manifests alone: the extra `api` is all that they need.

    The exception is cryptography, which redis-py imports where it is installed.
    """
    assert {"cryptography"} >= set(imported_by(module))


@pytest.mark.slow
def test_opening_a_feature_imports_its_modules() -> None:
    """And not those of another feature."""
    assert "PIL" not in imported_by("processors.push.opening")
    assert {"aiohttp", "cryptography"}.isdisjoint(imported_by("processors.media.opening"))
    assert "cryptography" in imported_by("processors.push.opening")


@pytest.mark.slow
def test_the_fork_server_imports_what_it_is_told_to() -> None:
    """A worker that only sends mails has no encoders in memory."""
    assert [] == imported_by("processors.sandbox.fork_server")


@pytest.mark.slow
def test_an_idle_push_worker_imports_no_sender() -> None:
    """Push imports the HTTP client and pywebpush (with requests) at its first message."""
    assert {"aiohttp", "pywebpush", "regex"}.isdisjoint(imported_by("processors.push.opening"))


def test_features_are_kept_apart() -> None:
    """Every feature's folder is in the contract that import-linter checks: no feature imports another.

    Maintenance keeps house for the others; a contract of its own says that none knows it.
    """
    contracts = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [apart] = [contract["modules"] for contract in contracts if contract["type"] == "independence"]

    folders = {manifest.parent.name for manifest in (PROJECT / "processors").glob("*/feature.py")}
    assert {f"processors.{name}" for name in folders - {"own", "maintenance"}} == set(apart)


def imported_by(module: str) -> list[str]:
    """Those of HEAVY that are in memory after an import."""
    code = f"import sys, {module}; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    return done.stdout.split()
