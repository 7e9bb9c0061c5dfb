"""Our Redis scripts for RQ's keys."""

from __future__ import annotations

from pathlib import Path

from rq.defaults import RQ_KEY_PREFIX

HERE = Path(__file__).parent
COMMON = f"local RQ = '{RQ_KEY_PREFIX}'\n" + (HERE / "common.lua").read_text()


def source(name: str) -> str:
    """A script's text, with what all of them have in common."""
    return COMMON + (HERE / f"{name}.lua").read_text()
