"""What all contestants share: Redis, Postgres with subscriptions, and a push service over TLS that accepts all."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from bullmq import Queue
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from redis import Redis

from embedded.push_service import SUBJECT, make_vapid_keys
from embedded.redis_server import RedisServer
from tests.support.postgres import PostgresServer, running_postgres
from tests.support.tls import make_certificate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HERE = Path(__file__).parent
PROJECT = HERE.parents[1]
QUEUE = "push-notifications"
PAYLOAD = {"title": "Ada", "body": "Are you there? " * 8, "url": "/chat/7", "icon": "/icons/chat.png"}
KEYS = 500  # distinct devices; more rows share them
PATIENCE = 900.0  # seconds
TABLE = """CREATE TABLE "PushSubscription" ("id" TEXT PRIMARY KEY, "userId" TEXT NOT NULL, "endpoint" TEXT NOT NULL,
    "p256dh" TEXT NOT NULL, "auth" TEXT NOT NULL)"""
FILES = (
    """CREATE TABLE "File" ("id" TEXT PRIMARY KEY, "compressedUrl" TEXT, "thumbnailUrl" TEXT, "processed" BOOLEAN)"""
)
INDEX = """CREATE INDEX ON "PushSubscription" ("userId")"""


@dataclass(frozen=True)
class Stage:
    """The servers, and how to reach them."""

    redis_url: str
    postgres: PostgresServer
    endpoint: str
    certificate: Path
    folder: Path
    vapid: tuple[str, str] = field(default_factory=make_vapid_keys)

    def env(self, database: str) -> dict[str, str]:
        """The environment of a worker, ours or the peer's, on this database."""
        return {
            "PATH": os.defpath,
            "REDIS_URL": self.redis_url,
            "DATABASE_URL": self.postgres.url(database),
            "VAPID_PRIVATE_KEY": self.vapid[0],
            "VAPID_PUBLIC_KEY": self.vapid[1],
            "VAPID_SUBJECT": SUBJECT,
        }

    def fill(self, database: str, users: Sequence[tuple[str, int, str]]) -> None:
        """Fill the database with subscriptions: (user, number, path of the endpoints). `%` in a user is a number."""
        devices = [_device() for _ in range(KEYS)]
        p256dh, auth = (f"ARRAY[{','.join(repr(device[part]) for device in devices)}]" for part in (0, 1))
        self.postgres.run("postgres", f'CREATE DATABASE "{database}"')
        rows = [
            f"""INSERT INTO "PushSubscription" SELECT '{number}-' || lpad(n::text, 8, '0'), {_user(user)},
            '{self.endpoint}{path}' || n, ({p256dh})[1 + n % {KEYS}], ({auth})[1 + n % {KEYS}]
            FROM generate_series(0, {count - 1}) n"""  # noqa: S608 -- our own words
            for number, (user, count, path) in enumerate(users)
        ]
        self.postgres.run(database, TABLE, FILES, *rows, INDEX, "ANALYZE")

    def ask(self, path: str = "") -> dict[str, Any]:
        """What the push service has received; `reset` clears it."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        with urllib.request.urlopen(f"{self.endpoint}/{path}", context=context) as answer:  # noqa: S310 -- our own
            told: dict[str, Any] = json.load(answer)
        return told

    def arrived(self, count: int) -> dict[str, Any]:
        """What the push service has received, once there are so many pushes."""
        deadline = time.monotonic() + PATIENCE
        while (told := self.ask())["count"] < count:
            if time.monotonic() > deadline:
                sys.exit(f"{told['count']} of {count} pushes came")
            time.sleep(0.2)
        return told

    def clear(self) -> None:
        """Forget jobs and pushes."""
        with Redis.from_url(self.redis_url) as redis:
            redis.flushall()
        self.ask("reset")

    def enqueue(self, name: str, payloads: Sequence[dict[str, Any]]) -> None:
        """Add jobs as the app does."""
        asyncio.run(self._enqueue(name, payloads))

    def paced(self, rate: int, count: int, sent: dict[str, float]) -> None:
        """Add a job for each of so many users, `rate` a second. `sent` gets each time (epoch milliseconds)."""
        asyncio.run(self._paced(rate, count, sent))

    async def _paced(self, rate: int, count: int, sent: dict[str, float]) -> None:
        queue = Queue(QUEUE, {"connection": self.redis_url})
        since = time.monotonic()
        for number in range(count):
            await asyncio.sleep(max(0.0, since + number / rate - time.monotonic()))
            sent[f"u{number}"] = time.time() * 1000
            await queue.add("push-notification", {"userId": f"u{number}", "payload": PAYLOAD})
        await queue.close()

    async def _enqueue(self, name: str, payloads: Sequence[dict[str, Any]]) -> None:
        queue = Queue(QUEUE, {"connection": self.redis_url})
        for start in range(0, len(payloads), 500):
            jobs = [{"name": name, "data": data, "opts": {}} for data in payloads[start : start + 500]]
            await queue.addBulk(jobs)
        await queue.close()

    @contextlib.contextmanager
    def worker(self, command: Sequence[str], env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
        """A started worker."""
        log = self.folder / "worker.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [shutil.which(command[0]) or command[0], *command[1:]],
                env=env,
                cwd=self.folder,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                while b"started" not in log.read_bytes():
                    if process.poll() is not None:
                        sys.exit(log.read_text())
                    time.sleep(0.02)
                yield process
            finally:
                for each in (*psutil.Process(process.pid).children(recursive=True), process):
                    each.kill()
                process.wait()


@contextlib.contextmanager
def set_up() -> Iterator[Stage]:
    """Start all servers."""
    with tempfile.TemporaryDirectory() as name, RedisServer() as redis, running_postgres() as postgres:
        folder = Path(name)
        certificate, key = make_certificate(folder, "127.0.0.1")
        command = ["node", str(HERE / "endpoint.mjs"), str(key), str(certificate)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as endpoint:
            try:
                port = int(endpoint.stdout.readline()) if endpoint.stdout else 0
                yield Stage(redis.url, postgres, f"https://127.0.0.1:{port}", certificate, folder)
            finally:
                endpoint.kill()


def _device() -> tuple[str, str]:
    point = ec.generate_private_key(ec.SECP256R1()).public_key()
    raw = point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return tuple(base64.urlsafe_b64encode(each).rstrip(b"=").decode() for each in (raw, os.urandom(16)))  # type: ignore[return-value]


def _user(user: str) -> str:
    return f"'{user}'" if "%" not in user else f"replace('{user}', '%', n::text)"
