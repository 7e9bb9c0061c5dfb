"""The servers of the example: Valkey, S3's protocol, and an SQLite database with the app's tables."""

from __future__ import annotations

import json
import logging
import secrets
import sqlite3
import tempfile
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from moto.server import ThreadedMotoServer

from demo.example.app import APP
from embedded.push_service import SUBJECT
from embedded.redis_server import RedisServer
from queue_lib.web import tokens
from scripts.generate_vapid_keys import make_pair

if TYPE_CHECKING:
    from collections.abc import Iterator

    from queue_lib.web.tokens import Token

USERS = ("Ada", "Grace")  # who is there from the start; the first is the admin
ORDERS = 60  # of each of them
GOODS = (("Rye flour, 5 kg", "9.90"), ("Spelt flour, 2.5 kg", "7.45"), ("Rolled oats, 1 kg", "3.20"))
BUCKET = "example"
REGION = "us-east-1"
KEY = "example"  # moto takes any
LOGIN = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": KEY, "AWS_REGION": REGION}
STATUSES = ("open", "sent", "paid")
ORDER = (
    'INSERT INTO "Order" ("id", "userId", "item", "quantity", "total", "status", "createdAt") VALUES (?,?,?,?,?,?,?)'
)
MIGRATIONS = APP / "prisma" / "migrations" / "sqlite"


@dataclass(frozen=True)
class Parts:
    """Where the servers are, and the keys that the processes share."""

    folder: Path
    redis: RedisServer
    s3_url: str
    vapid: tuple[str, str]
    secret: str
    token: Token

    @property
    def database(self) -> Path:
        """The app's database."""
        return self.folder / "app.db"

    def worker_env(self) -> dict[str, str]:
        """The environment of `worker.py`."""
        private, public = self.vapid
        return self._shared() | {
            "AVATAR_TABLE": "User",
            "NOTIFICATION_TABLE": "Notification",
            "OUTBOX_TABLE": "Outbox",
            "PREFERENCE_TABLE": "NotificationPreference",
            "VAPID_PRIVATE_KEY": private,
            "VAPID_PUBLIC_KEY": public,
            "VAPID_SUBJECT": SUBJECT,
            "LOG_FORMAT": "json",
            "TMPDIR": str(self.folder),
        }

    def web_env(self) -> dict[str, str]:
        """The environment of `web.py`, but for its port."""
        return {"REDIS_URL": self.redis.url, "API_TOKENS": tokens.entry(self.token), "LOG_LEVEL": "warning"}

    def app_env(self, web_url: str) -> dict[str, str]:
        """The environment of the Next.js app."""
        return self._shared() | {
            "SESSION_SECRET": self.secret,
            "ADMINS": USERS[0],
            "VAPID_PUBLIC_KEY": self.vapid[1],
            "PUSHMILL_URL": web_url,
            "PUSHMILL_TOKEN": self.secret,
        }

    def _shared(self) -> dict[str, str]:
        return LOGIN | {
            "REDIS_URL": self.redis.url,
            "DATABASE_URL": f"file:{self.database}",
            "STORAGE_URL": f"s3://{BUCKET}",
            "S3_ENDPOINT_URL": self.s3_url,
            "S3_ADDRESSING_STYLE": "path",
            "PUSH_ALLOW_LOCAL_ENDPOINTS": "1",
        }


@contextmanager
def parts() -> Iterator[Parts]:
    """Start the servers, and make the bucket, the tables, two users and all keys. Nothing of them remains."""
    with tempfile.TemporaryDirectory(prefix="pushmill-example-") as scratch, RedisServer() as redis, _s3() as s3_url:
        secret, token = tokens.make("example", may_write=True)
        made = Parts(Path(scratch), redis, s3_url, make_pair(), secret, token)
        _migrate(made.database)
        yield made


def _migrate(database: Path) -> None:
    """Apply the migrations as they lie in the tree: Prisma's own program would have to be downloaded."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")  # the app and the worker write at the same time
        for migration in sorted(MIGRATIONS.glob("*/migration.sql")):
            connection.executescript(migration.read_text())
        rows = [(secrets.token_hex(12), name) for name in USERS]
        connection.executemany('INSERT INTO "User" ("id", "name", "updatedAt") VALUES (?, ?, datetime())', rows)
        connection.executemany(ORDER, [order for user, _ in rows for order in _orders(user)])


def _orders(user: str) -> Iterator[tuple[object, ...]]:
    """An order a day until today, the oldest ones paid."""
    for day in range(ORDERS):
        item, price = GOODS[day % len(GOODS)]
        quantity = 1 + day % 4
        status = STATUSES[min(day // 10, len(STATUSES) - 1)]
        placed = (datetime.now(UTC) - timedelta(days=day)).isoformat(timespec="milliseconds")
        yield secrets.token_hex(12), user, item, quantity, str(quantity * Decimal(price)), status, placed


@contextmanager
def _s3() -> Iterator[str]:
    """S3's protocol by moto, which lets pages of every origin upload, and a bucket that everyone may read."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        url = f"http://{host}:{port}"
        client = boto3.client("s3", REGION, endpoint_url=url, aws_access_key_id=KEY, aws_secret_access_key=KEY)
        client.create_bucket(Bucket=BUCKET)
        client.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(_readable()))
        client.close()
        yield url
    finally:
        server.stop()


def _readable() -> dict[str, object]:
    allow = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{BUCKET}/*"}
    return {"Version": "2012-10-17", "Statement": [allow]}
