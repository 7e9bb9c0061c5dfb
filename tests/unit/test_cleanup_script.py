"""The script `cleanup`: it looks, and deletes only when it is told to."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from scripts.cleanup import app
from scripts.terminal import IN_PART
from storage.objects.base import Deleted
from storage.objects.local import LocalStore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from storage.objects.base import Listed


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory that may be cleaned, with three old files and a young one."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "scratch"
    folder.mkdir()
    for name in ("a.csv", "b.csv", "[red]c.txt", "young.csv"):
        (folder / name).write_text("xx")
        if name != "young.csv":
            os.utime(folder / name, (1_700_000_000, 1_700_000_000))
    for name in ("DATABASE_URL", "STORAGE_URL", "CLEANUP_PREFIXES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLEANUP_DIRS", str(folder))
    return folder


def run(*words: str) -> tuple[int, str]:
    """The exit status and all that was printed."""
    result = CliRunner().invoke(app, words)
    return result.exit_code, result.output


def test_it_only_looks_unless_it_is_told_to_delete(scratch: Path) -> None:
    """With `--delete` it asks, or `--yes` answers."""
    status, text = run("temp_files", "--older", "2h")
    assert (status, "found: 3, bytes: 6, deleted: 0" in text, "add --delete" in text) == (0, True, True)
    assert "scratch/[red]c.txt" in text
    assert run("temp_files", "--older", "2h", "--delete")[0] == 2
    assert len(list(scratch.iterdir())) == 4

    status, text = run("temp_files", "--older", "2h", "--pattern", "*.csv", "--delete", "--yes", "--json")

    found = json.loads(text)
    assert (status, found["deleted"], found["dryRun"]) == (0, 2, False)
    assert {path.name for path in scratch.iterdir()} == {"[red]c.txt", "young.csv"}


async def _fail(_: LocalStore, objects: Sequence[Listed]) -> Deleted:
    """Delete all but the last."""
    last = objects[-1].key
    return Deleted(frozenset(each.key for each in objects) - {last}, failed={last: "InternalError"})


@pytest.mark.usefixtures("scratch")
def test_what_the_store_fails_to_delete_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are deleted."""
    monkeypatch.setattr(LocalStore, "delete", _fail)
    status, text = run("temp_files", "--older", "2h", "--delete", "--yes")
    assert (status, text.count("\n")) == (IN_PART, 1)
    assert "1 of 3 could not be deleted, such as " in text


@pytest.mark.usefixtures("scratch")
@pytest.mark.parametrize(
    ("words", "status", "reason"),
    [
        (["everything", "--older", "2h"], 2, "targetType"),
        (["temp_files", "--older", "1m"], 2, "olderThan"),
        (["temp_files", "--older", "2h", "--path", "uploads"], 2, "path: not within scratch"),
        (["old_logs", "--older", "2h"], 2, "CLEANUP_LOGS is not set"),
    ],
)
def test_what_is_not_allowed_is_refused(words: list[str], status: int, reason: str) -> None:
    """With the words of the job."""
    found, text = run(*words)
    assert (found, reason in text) == (status, True)


@pytest.mark.usefixtures("scratch")
def test_a_wrong_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the worker does at its start."""
    monkeypatch.setenv("CLEANUP_LOGS", "Log.at")
    status, text = run("temp_files", "--older", "2h")
    assert (status, text) == (1, "CLEANUP_LOGS: it needs DATABASE_URL, which is not set\n")
    monkeypatch.delenv("CLEANUP_LOGS")
    monkeypatch.setenv("CLEANUP_DIRS", "/nowhere/at/all")
    assert run("temp_files", "--older", "2h")[1].startswith("CLEANUP_DIRS: there is no directory /nowhere/at/all, or")
