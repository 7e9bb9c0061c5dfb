"""`make worker APP=...`: the Redis that the app's `.env` names runs, and what is said where it names none."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.support.ports import free_port
from tests.support.worker_process import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT = 60.0  # seconds


def beside(app: Path) -> tuple[int, list[str]]:
    """The exit status and the lines that are printed."""
    env = {"PATH": os.defpath}
    command = [sys.executable, "-m", "demo.beside", str(app)]
    done = subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, [*done.stdout.splitlines(), *done.stderr.splitlines()]


def test_an_app_without_settings(tmp_path: Path) -> None:
    """It is told how to get some."""
    said = f"FAILED: {tmp_path}/.env is not there: run `npx pushmill init` in the app, and name its folder as APP"
    assert (1, [said]) == beside(tmp_path)


def test_an_app_without_redis(tmp_path: Path) -> None:
    """In the worker's own words."""
    (tmp_path / ".env").write_text("STORAGE_URL=file:///tmp\n")
    status, [said] = beside(tmp_path)
    assert 1 == status
    assert said.startswith("FAILED: .env: REDIS_URL: not set; set it to the Redis that the app enqueues to")


def test_redis_may_be_named_by_its_host(tmp_path: Path) -> None:
    """A Valkey is started there. The worker then lacks what it needs for any job, and nothing of Redis."""
    port = free_port()
    (tmp_path / ".env").write_text(f"REDIS_HOST=127.0.0.1\nREDIS_PORT={port}\n")
    status, lines = beside(tmp_path)
    assert f"Valkey runs on port {port}; its jobs are lost when it stops." in lines
    assert 1 == status
    assert any(line.startswith("DATABASE_URL: not set") for line in lines), lines
    assert not any(line.startswith("REDIS_") for line in lines), lines
