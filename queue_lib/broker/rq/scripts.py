"""Our Redis scripts for RQ's keys."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).parent
CLOCK = (HERE / "clock.lua").read_text()


def source(name: str) -> str:
    """A script's text, with the server's clock in front of it."""
    return CLOCK + (HERE / f"{name}.lua").read_text()
