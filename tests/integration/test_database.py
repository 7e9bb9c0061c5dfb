"""The app's database, on a real Postgres and on SQLite, with tables as Prisma makes them."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.rows import dict_row
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError

from storage import database as database_module
from storage.avatars import SqlAvatars
from storage.database import Database
from storage.errors import RowNotFoundError, SchemaError, StorageAwayError, StorageUnavailableError
from storage.files import SqlFiles
from storage.ports import Subscription
from storage.settings import StorageSettings
from storage.subscriptions import PRUNE_BATCH, SqlSubscriptions
from storage.tables import AppTable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.postgres import PostgresServer

SUBSCRIPTIONS = """CREATE TABLE "PushSubscription" ("id" {id} PRIMARY KEY, "userId" {id} NOT NULL,
    "endpoint" TEXT NOT NULL, "p256dh" TEXT NOT NULL, "auth" TEXT NOT NULL, "createdAt" TIMESTAMP(3))"""
FILES = """CREATE TABLE "File" ("id" {id} PRIMARY KEY, "name" TEXT, "compressedUrl" TEXT, "thumbnailUrl" TEXT,
    "width" INTEGER, "processed" BOOLEAN NOT NULL DEFAULT false, "updatedAt" TIMESTAMP(3))"""

# As the ids are written in a job: three that sort in this order, and two that nobody has.
TEXT_IDS = ("ckx1", "ckx2", "ckx3", "nobody", "Zoë")
INTEGER_IDS = ("1", "2", "10", "7", "9223372036854775807")
UUID_IDS = tuple(str(uuid.UUID(int=number)) for number in (1, 2, 3, 8, 9))


@dataclass(frozen=True, slots=True)
class App:
    """The app's side of a database: its URL, its ids, and SQL as the app would run it."""

    url: str
    ids: tuple[str, ...]

    def sql(self, statement: str) -> list[dict[str, Any]]:
        """Run one statement, and give its rows if it has any."""
        if self.url.startswith("sqlite"):
            return _sqlite(self.url.removeprefix("sqlite:///"), statement)
        with psycopg.connect(self.url, autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def insert(self, table: str, *rows: dict[str, Any]) -> None:
        """Insert rows that all have the same columns."""
        columns = ", ".join(f'"{name}"' for name in rows[0])
        values = ", ".join("(" + ", ".join(f"'{value}'" for value in row.values()) + ")" for row in rows)
        self.sql(f'INSERT INTO "{table}" ({columns}) VALUES {values}')  # noqa: S608 -- a test's own values

    def subscribe(self, row: int, user: int, endpoint: str = "https://push.example/1", p256dh: str = "key") -> None:
        """Insert a subscription with the id number `row` for the user number `user`."""
        self.insert("PushSubscription", _subscription(self.ids[row], self.ids[user], endpoint, p256dh))

    def add_files(self) -> None:
        """Insert two files, with the first two ids."""
        self.insert("File", *({"id": id_, "name": "holiday"} for id_ in self.ids[:2]))


def _subscription(id_: str, user_id: str, endpoint: str, p256dh: str) -> dict[str, Any]:
    return {"id": id_, "userId": user_id, "endpoint": endpoint, "p256dh": p256dh, "auth": "auth"}


def _sqlite(path: str, statement: str) -> list[dict[str, Any]]:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute(statement)]
    finally:
        connection.close()


@pytest.fixture(params=["postgres-text", "postgres-integer", "postgres-uuid", "sqlite-text", "sqlite-integer"])
def app(request: pytest.FixtureRequest, tmp_path: Path) -> App:
    """An app's database with its two tables, empty."""
    server, kind = request.param.split("-")
    ids = {"text": TEXT_IDS, "integer": INTEGER_IDS, "uuid": UUID_IDS}[kind]
    url = request.getfixturevalue("postgres_url") if server == "postgres" else f"sqlite:///{tmp_path}/dev.db"
    app = App(url, ids)
    app.sql(SUBSCRIPTIONS.format(id=kind.upper()))
    app.sql(FILES.format(id=kind.upper()))
    return app


@pytest.fixture(params=["postgres", "sqlite"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> App:
    """A database that exists and has no table."""
    if request.param == "postgres":
        return App(request.getfixturevalue("postgres_url"), TEXT_IDS)
    app = App(f"sqlite:///{tmp_path}/dev.db", TEXT_IDS)
    app.sql("VACUUM")
    return app


def _settings(url: str, **values: Any) -> StorageSettings:
    return StorageSettings(database_url=url, storage_url="file:///unused", **values)


@pytest.fixture
async def database(app: App) -> AsyncIterator[Database]:
    """The worker's side of it."""
    database = await Database.open(_settings(app.url), set(AppTable))
    yield database
    await database.close()


@pytest.fixture
def subscriptions(database: Database) -> SqlSubscriptions:
    """The port under test."""
    return SqlSubscriptions(database)


@pytest.fixture
def files(database: Database) -> SqlFiles:
    """The port under test."""
    return SqlFiles(database)


async def test_subscriptions_of_a_user(app: App, subscriptions: SqlSubscriptions) -> None:
    """A user's subscriptions come oldest id first, with ids as text, and nobody else's are among them."""
    app.subscribe(2, user=0, endpoint="https://push.example/2", p256dh="key2")
    app.subscribe(0, user=0)
    app.subscribe(1, user=1)
    first, second, third, *_ = app.ids

    assert [
        Subscription(id=first, user_id=first, endpoint="https://push.example/1", p256dh="key", auth="auth"),
        Subscription(id=third, user_id=first, endpoint="https://push.example/2", p256dh="key2", auth="auth"),
    ] == await subscriptions.of_user(first)
    assert [second] == [subscription.id for subscription in await subscriptions.of_user(second)]


@pytest.mark.parametrize("user", [3, 4])
async def test_an_unknown_user(app: App, subscriptions: SqlSubscriptions, user: int) -> None:
    """A user that nobody is has no subscriptions."""
    app.subscribe(0, user=0)

    assert [] == await subscriptions.of_user(app.ids[user])


IMPOSSIBLE = ["", "x", " 1", "01", "+1", "1_0", "1.0", "9" * 30, "-" + "9" * 18, "\0", "a\0b", "\ud800", "' OR 1=1 --"]


async def test_an_id_that_the_column_can_not_hold(app: App, subscriptions: SqlSubscriptions) -> None:
    """An id that the app's column could never hold is one that nobody has; it is no error."""
    app.subscribe(0, user=0)

    assert [[]] * len(IMPOSSIBLE) == [await subscriptions.of_user(user_id) for user_id in IMPOSSIBLE]


async def test_prune(app: App, subscriptions: SqlSubscriptions) -> None:
    """Pruning deletes the given rows and no other, and says how many; a second time there is nothing to delete."""
    for row in range(3):
        app.subscribe(row, user=0)
    gone = (await subscriptions.of_user(app.ids[0]))[:2]

    assert [2, 0] == [await subscriptions.prune(gone), await subscriptions.prune(gone)]
    assert [app.ids[2]] == [subscription.id for subscription in await subscriptions.of_user(app.ids[0])]


async def test_prune_nothing(subscriptions: SqlSubscriptions) -> None:
    """Pruning nothing deletes nothing."""
    assert 0 == await subscriptions.prune([])


@pytest.mark.parametrize("column", ["endpoint", "p256dh"])
async def test_a_new_subscription_survives(app: App, subscriptions: SqlSubscriptions, column: str) -> None:
    """A device that has subscribed anew in between, in the same row, is not pruned."""
    app.subscribe(0, user=0)
    app.subscribe(1, user=0)
    stale = await subscriptions.of_user(app.ids[0])
    condition = f"""WHERE "id" = '{app.ids[0]}'"""
    app.sql(f"""UPDATE "PushSubscription" SET "{column}" = 'new' {condition}""")  # noqa: S608 -- a test's own values

    assert 1 == await subscriptions.prune(stale)
    assert [app.ids[0]] == [subscription.id for subscription in await subscriptions.of_user(app.ids[0])]


async def test_prune_ids_that_the_column_can_not_hold(app: App, subscriptions: SqlSubscriptions) -> None:
    """Among the given subscriptions, one with an impossible id is passed over."""
    app.subscribe(0, user=0)
    (real,) = await subscriptions.of_user(app.ids[0])

    impossible = [replace(real, id=id_) for id_ in IMPOSSIBLE]

    assert 1 == await subscriptions.prune([*impossible, real])


async def test_prune_many(empty: App) -> None:
    """More subscriptions than fit into one statement are pruned in several."""
    empty.sql(SUBSCRIPTIONS.format(id="INTEGER"))
    total = 2 * PRUNE_BATCH + 1
    rows = [_subscription(str(number), "1", f"https://push.example/{number}", "key") for number in range(total)]
    empty.insert("PushSubscription", *rows)
    database = await Database.open(_settings(empty.url), {AppTable.PUSH_SUBSCRIPTION})
    subscriptions = SqlSubscriptions(database)

    assert total == await subscriptions.prune(await subscriptions.of_user("1"))
    assert [] == await subscriptions.of_user("1")
    await database.close()


async def test_mark_processed(app: App, files: SqlFiles) -> None:
    """The file's row gets the values whose columns exist; its other columns and the other rows stay."""
    app.add_files()

    await files.mark_processed(app.ids[0], {"compressedUrl": "https://cdn/c", "width": 640, "blurhash": "no column"})

    marked, other = app.sql('SELECT * FROM "File" ORDER BY "id"')
    assert ("holiday", "https://cdn/c", None, 640, True) == (
        marked["name"],
        marked["compressedUrl"],
        marked["thumbnailUrl"],
        marked["width"],
        bool(marked["processed"]),
    )
    assert (None, None, False) == (other["compressedUrl"], other["updatedAt"], bool(other["processed"]))


async def test_mark_processed_again(app: App, files: SqlFiles) -> None:
    """A job that runs twice marks its file twice, and that is no error."""
    app.add_files()

    await files.mark_processed(app.ids[0], {"compressedUrl": "https://cdn/1"})
    await files.mark_processed(app.ids[0], {"compressedUrl": "https://cdn/2"})

    (row,) = app.sql('SELECT "compressedUrl" FROM "File" WHERE "processed"')
    assert {"compressedUrl": "https://cdn/2"} == row


@pytest.mark.parametrize("file", [3, 4])
async def test_mark_an_unknown_file(app: App, files: SqlFiles, file: int) -> None:
    """A file that does not exist is RowNotFoundError."""
    app.add_files()

    with pytest.raises(RowNotFoundError, match="no file has the id"):
        await files.mark_processed(app.ids[file], {})


async def test_mark_an_id_that_the_column_can_not_hold(app: App, files: SqlFiles) -> None:
    """An id that the app's column could never hold is a file that does not exist, and no row is touched."""
    app.add_files()

    for file_id in IMPOSSIBLE:
        with pytest.raises(RowNotFoundError, match="no file has the id"):
            await files.mark_processed(file_id, {})

    assert [] == app.sql('SELECT "id" FROM "File" WHERE "processed"')


@pytest.mark.parametrize(("kind", "zone"), [("TIMESTAMP(3)", None), ("TIMESTAMPTZ(3)", UTC)])
async def test_updated_at(postgres_url: str, kind: str, zone: Any) -> None:
    """`updatedAt`, which Prisma's client would set, is set to now in UTC, whatever the database's time zone is."""
    app = App(postgres_url, TEXT_IDS)
    app.sql(f"ALTER DATABASE {make_url(postgres_url).database} SET timezone = 'Asia/Tokyo'")
    app.sql(FILES.format(id="TEXT").replace("TIMESTAMP(3)", kind))
    app.add_files()
    database = await Database.open(_settings(app.url), {AppTable.FILE})

    await SqlFiles(database).mark_processed(app.ids[0], {})
    await database.close()

    (row,) = app.sql('SELECT "updatedAt" FROM "File" WHERE "processed"')
    assert abs(datetime.now(UTC).replace(tzinfo=zone) - row["updatedAt"]) < timedelta(seconds=10)


async def test_what_is_missing_is_said_at_once(empty: App) -> None:
    """Every missing table and column is one line of one error, with what to do about it."""
    empty.sql('CREATE TABLE "push_subscriptions" ("id" TEXT, "userId" TEXT, "endpoint" TEXT, "auth_key" TEXT)')

    with pytest.raises(SchemaError) as caught:
        await Database.open(_settings(empty.url, push_subscription_table="push_subscriptions"), set(AppTable))

    assert [
        'DATABASE_URL: table "push_subscriptions" has no column "p256dh"; add it to the app\'s Prisma schema',
        'DATABASE_URL: table "push_subscriptions" has no column "auth"; add it to the app\'s Prisma schema',
        'DATABASE_URL: there is no table "File"; set FILE_TABLE if the app calls it otherwise',
    ] == str(caught.value).splitlines()


async def test_only_what_is_needed(empty: App) -> None:
    """A process that serves only pushes does not need the table of files."""
    empty.sql(SUBSCRIPTIONS.format(id="TEXT"))

    database = await Database.open(_settings(empty.url), {AppTable.PUSH_SUBSCRIPTION})

    assert [] == await SqlSubscriptions(database).of_user("nobody")
    await database.close()


async def test_prisma_schema(postgres_url: str) -> None:
    """Tables are looked for in the schema that Prisma's `schema` parameter names."""
    app = App(postgres_url, TEXT_IDS)
    app.sql("CREATE SCHEMA shop")
    app.sql(FILES.format(id="TEXT").replace('"File"', 'shop."File"'))
    app.sql("""INSERT INTO shop."File" ("id") VALUES ('a')""")
    database = await Database.open(_settings(f"{postgres_url}&schema=shop&connection_limit=1"), {AppTable.FILE})

    await SqlFiles(database).mark_processed("a", {"thumbnailUrl": "https://cdn/t"})
    await database.close()

    assert [{"thumbnailUrl": "https://cdn/t"}] == app.sql('SELECT "thumbnailUrl" FROM shop."File" WHERE "processed"')


async def test_an_unreachable_server(unused_port: int) -> None:
    """A server that does not answer is named by host and port, without the password."""
    with pytest.raises(StorageUnavailableError) as caught:
        await Database.open(_settings(f"postgres://me:hunter2@127.0.0.1:{unused_port}/shop"), set(AppTable))

    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"DATABASE_URL: the database at 127.0.0.1:{unused_port} can't be used: connection failed")
    assert "hunter2" not in line


@pytest.fixture
def unused_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


async def test_a_missing_database(postgres_server: PostgresServer) -> None:
    """A database that the server does not have is said by its name."""
    with pytest.raises(StorageUnavailableError, match='database "nowhere" does not exist'):
        await Database.open(_settings(postgres_server.url("nowhere")), set(AppTable))


async def test_a_missing_sqlite_file(tmp_path: Path) -> None:
    """A SQLite file that is missing is an error; it is not made."""
    with pytest.raises(
        StorageUnavailableError, match=f"the database at {tmp_path}/dev.db can't be used: there is no such"
    ):
        await Database.open(_settings(f"sqlite:///{tmp_path}/dev.db"), set(AppTable))

    assert not (tmp_path / "dev.db").exists()


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    """A file that SQLite can't read is said by its name."""
    (tmp_path / "dev.db").write_bytes(b"no database" * 100)

    with pytest.raises(
        StorageUnavailableError, match=f"the database at {tmp_path}/dev.db can't be used: file is not a"
    ):
        await Database.open(_settings(f"sqlite:///{tmp_path}/dev.db"), set(AppTable))


async def test_errors_show_no_endpoint(app: App, subscriptions: SqlSubscriptions) -> None:
    """A failed statement's error does not show an endpoint: whoever has one can push."""
    app.subscribe(0, user=0, endpoint="https://push.example/secret")
    stale = await subscriptions.of_user(app.ids[0])
    app.sql('DROP TABLE "PushSubscription"')

    with pytest.raises((DBAPIError, StorageAwayError)) as caught:  # SQLite's own word for it is an operational error
        await subscriptions.prune(stale)

    assert "secret" not in str(caught.value)


async def test_a_row_that_has_its_values_is_not_touched(app: App, files: SqlFiles) -> None:
    """A job that runs twice changes its row once: what looks for changes sees one."""
    app.insert("File", {"id": app.ids[0], "name": "holiday"})
    values = {"compressedUrl": "https://cdn/1", "width": 640, "thumbnailUrl": None}
    await files.mark_processed(app.ids[0], values)
    app.sql("""UPDATE "File" SET "updatedAt" = '2001-01-01 00:00:00'""")

    await files.mark_processed(app.ids[0], values)
    [row] = app.sql('SELECT * FROM "File"')
    assert ("2001", True) == (str(row["updatedAt"])[:4], bool(row["processed"]))

    await files.mark_processed(app.ids[0], values | {"width": 641})
    [row] = app.sql('SELECT * FROM "File"')
    assert (641, False) == (row["width"], str(row["updatedAt"]).startswith("2001"))


async def test_avatars(app: App) -> None:
    """The row of a user gets the URL, in the column that the app has for it."""
    app.sql(f'CREATE TABLE "User" ("id" {"TEXT" if app.ids is TEXT_IDS else "INTEGER"} PRIMARY KEY, "picture" TEXT)')
    if app.ids is UUID_IDS:
        app.sql('ALTER TABLE "User" ALTER COLUMN "id" TYPE UUID USING NULL')
    app.insert("User", {"id": app.ids[0]}, {"id": app.ids[1]})
    settings = _settings(app.url, avatar_table="User", avatar_column="picture")
    database = await Database.open(settings, set(AppTable))
    avatars = SqlAvatars(database, settings.avatar_column)

    await avatars.update(app.ids[0], "https://cdn/a.webp")
    with pytest.raises(RowNotFoundError, match="no user has the id"):
        await avatars.update(app.ids[3], "https://cdn/a.webp")
    with pytest.raises(SchemaError, match='AVATAR_COLUMN: table "User" has no column "image"'):
        SqlAvatars(database, "image")
    await database.close()

    assert [{"picture": "https://cdn/a.webp"}, {"picture": None}] == app.sql(
        'SELECT "picture" FROM "User" ORDER BY "id"'
    )


async def test_a_missing_avatar_table(app: App) -> None:
    """A table that is set and is not there is said at the start."""
    with pytest.raises(SchemaError, match='there is no table "Nobody"; set AVATAR_TABLE'):
        await Database.open(_settings(app.url, avatar_table="Nobody"), set(AppTable))


async def test_a_restart_of_the_server(postgres_url: str) -> None:
    """After the server has dropped all connections, the next statement works."""
    app = App(postgres_url, TEXT_IDS)
    app.sql(FILES.format(id="TEXT"))
    app.add_files()
    database = await Database.open(_settings(app.url), {AppTable.FILE})
    app.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pushmill'")

    await SqlFiles(database).mark_processed(app.ids[0], {})
    await database.close()

    assert [{"id": app.ids[0]}] == app.sql('SELECT "id" FROM "File" WHERE "processed"')


async def test_a_server_that_is_gone(monkeypatch: pytest.MonkeyPatch, postgres_url: str) -> None:
    """A database that can't be reached while jobs run is told apart from a statement that is wrong."""
    app = App(postgres_url, TEXT_IDS)
    app.sql(FILES.format(id="TEXT"))
    database = await Database.open(_settings(app.url), {AppTable.FILE})

    with monkeypatch.context() as patch:
        patch.setattr(database, "_engine", SimpleNamespace(connect=_refuse))
        with pytest.raises(StorageAwayError, match="the database does not answer"):
            await SqlFiles(database).mark_processed("1", {})
    await database.close()


def _refuse() -> None:
    raise ConnectionRefusedError


async def test_many_at_once(app: App, subscriptions: SqlSubscriptions) -> None:
    """More callers than connections are served one after the other."""
    app.subscribe(0, user=0)

    found = await asyncio.gather(*(subscriptions.of_user(app.ids[0]) for _ in range(40)))

    assert [1] * 40 == [len(rows) for rows in found]


async def test_a_statement_without_end(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A statement that takes too long counts as an outage, is over on the server too, and costs no later one."""
    monkeypatch.setattr(database_module, "STATEMENT_TIMEOUT", 0.5)
    app = App(postgres_url, TEXT_IDS)
    app.sql(FILES.format(id="TEXT"))
    database = await Database.open(_settings(app.url), {AppTable.FILE})

    with pytest.raises(StorageAwayError, match="does not answer"):
        async with database.connection() as connection:
            await connection.execute(text("SELECT pg_sleep(60)"))

    assert [] == app.sql("SELECT pid FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'SELECT pg_sleep%'")
    with pytest.raises(RowNotFoundError):
        await SqlFiles(database).mark_processed("nobody", {})
    await database.close()
