"""The command line of `worker.py` and `web.py`, which take no arguments."""

from __future__ import annotations

import argparse

from queue_lib import VERSION

SETTINGS = "All settings are environment variables; README.md lists them."


def check(description: str | None) -> None:
    """Handle `--help` and `--version`, and refuse other arguments. Each ends the process before it starts anything."""
    parser = argparse.ArgumentParser(description=description, epilog=SETTINGS)
    parser.add_argument("--version", action="version", version=f"Pushmill {VERSION}")
    parser.parse_args()
