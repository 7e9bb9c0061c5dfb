"""A real PgBouncer before the tests' Postgres, in transaction mode, with two connections to each database."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from tests.support.ports import free_port
from tests.support.postgres import UNPRIVILEGED, unprivileged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.postgres import PostgresServer

START_TIMEOUT = 30.0  # seconds
SIZE = 2  # connections to a database
CONFIGURATION = """[databases]
* = host={postgres}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
admin_users = postgres
pool_mode = transaction
default_pool_size = {size}
query_wait_timeout = {wait}
"""


@dataclass(frozen=True, slots=True)
class PgBouncer:
    """Its program, its folder and its port. It runs within `running`."""

    program: str
    folder: Path
    port: int

    def url(self, database: str, more: str = "") -> str:
        """The URL of a database, as DATABASE_URL has it."""
        return f"postgres://postgres@127.0.0.1:{self.port}/{database}{more}"

    @contextmanager
    def running(self) -> Iterator[None]:
        """Start it; at the end its clients are cut off."""
        configuration = self.folder / "pgbouncer.ini"
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen([self.program, configuration], stdout=log, stderr=log, **unprivileged())
        try:
            self._wait(process)
            yield
        finally:
            process.kill()  # at a SIGTERM, 1.23 and newer wait for the clients
            process.wait()

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            try:
                return psycopg.connect(self.url("pgbouncer"), autocommit=True).close()
            except psycopg.OperationalError:
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(f"PgBouncer did not start:\n{(self.folder / 'log').read_text()}")
                time.sleep(0.02)


@contextmanager
def pgbouncer_of(program: str, server: PostgresServer, wait: int = 120) -> Iterator[PgBouncer]:
    """One that may be started. `wait`: seconds that a statement waits for a connection."""
    with tempfile.TemporaryDirectory(prefix="pgbouncer-", ignore_cleanup_errors=True) as name:
        bouncer = PgBouncer(program, Path(name), free_port())
        values = {"postgres": server.directory, "port": bouncer.port, "folder": name, "size": SIZE, "wait": wait}
        (bouncer.folder / "pgbouncer.ini").write_text(CONFIGURATION.format(**values))
        (bouncer.folder / "users").write_text('"postgres" ""\n')
        if unprivileged():
            for path in (bouncer.folder, *bouncer.folder.iterdir()):
                shutil.chown(path, UNPRIVILEGED)
        yield bouncer
