"""`python web.py` for an app."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from queue_lib.web import tokens
from tests.support.worker_process import PROJECT, WorkerProcess

if TYPE_CHECKING:
    from pathlib import Path

    from queue_lib.web.tokens import Token

WEB = PROJECT / "web.py"


def web_process(
    redis_url: str, folder: Path, *known: Token, python: str | Path | None = None, **more: str
) -> tuple[WorkerProcess, str]:
    """The web process with these tokens, and its URL. `python` is as for WorkerProcess."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {"REDIS_URL": redis_url, "API_TOKENS": ",".join(map(tokens.entry, known)), "PORT": str(port), **more}
    return WorkerProcess(env, folder, WEB, python), f"http://127.0.0.1:{port}"
