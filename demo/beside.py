"""`make worker APP=../my-app`: the worker beside `next dev`, with the settings of the app's `.env`.

If that names a Redis of this machine and none answers there, a Valkey runs on its port as long as the worker does.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import redis

from demo.clock import say
from demo.failure import DemoError
from demo.worker_process import WORKER
from embedded.redis_server import RedisServer
from queue_lib.errors import ConfigurationError
from queue_lib.redis_settings import RedisSettings
from queue_lib.settings import load

LOCAL = {"localhost", "127.0.0.1"}


def serve(app: Path) -> int:
    """Run until Ctrl-C; returns the worker's exit status. Raises DemoError."""
    if not (app / ".env").is_file():
        msg = f"{app / '.env'} is not there: run `npx pushmill init` in the app, and name its folder as APP"
        raise DemoError(msg)
    os.chdir(app)  # where this program and the worker read `.env`
    with ExitStack() as cleanup:
        port = _missing_redis(_redis_url())
        if port is not None:
            server = RedisServer()
            server.port = port
            cleanup.enter_context(server)
            say(f"Valkey runs on port {port}; its jobs are lost when it stops.")
        # In a session of its own, Ctrl-C does not reach it a second time.
        worker = subprocess.Popen([sys.executable, str(WORKER)], start_new_session=True)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: worker.terminate())
        return worker.wait()


def _redis_url() -> str:
    try:
        [settings] = load(RedisSettings)
    except ConfigurationError as error:
        msg = f".env: {error}"
        raise DemoError(msg) from None
    return str(settings.redis)


def _missing_redis(url: str) -> int | None:
    """The port at which a Redis of this machine is missing."""
    parts = urlsplit(url)
    if parts.scheme != "redis" or parts.hostname not in LOCAL or parts.password:
        return None
    try:
        with redis.Redis.from_url(url, retry=None) as client:
            client.ping()
    except redis.ConnectionError:
        return parts.port or 6379
    return None


def main() -> int:
    """Serve the app that the first argument names. Returns the exit status."""
    try:
        return serve(Path(sys.argv[1]).resolve())
    except DemoError as error:
        say(f"FAILED: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
