"""`subscriptionRoutes` with a real Prisma client: what it stores, the worker can use."""

from __future__ import annotations

import asyncio
import base64
import random
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from processors.push.endpoints import AllowedHosts, EndpointRefusedError
from processors.push.keys import InvalidKeysError, keys_of
from processors.push.services import SERVICES
from storage.ports import Subscription
from tests.support.node import node_session, require
from tests.support.polling import until
from tests.support.prisma import App
from tests.support.prisma_app import Routes, serving, tables

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.support.app import App as WorkerApp
    from tests.support.push_service import PushService

USER = "ann"
SEED = 20261130
ROUNDS = 600
SCHEMES = ("https", "https", "https", "http", "HTTPS", "ws", "https:", "")
PORTS = ("", "", "", ":", ":443", ":0443", ":80", ":8080", ":65535", ":65536", ":-1", ":x", ":443:443")
PATHS = ("/fcm/send/a:b", "", "/", "?x=@", "#f", "/%2e%2e/", "/@evil.example", "/\\evil.example", "//", "/ä", "/a b")
HOSTS = (
    *(f"{prefix}{host}" for host in SERVICES for prefix in ("", "a.", "x", "evil.example/")),
    *(
        "localhost",
        "127.0.0.1",
        "127.1",
        "127.0.0.999",
        "10.0.0.1",
        "[::1]",
        "0x7f.1",
        "2130706433",
        "127.0.0.1.nip.io",
    ),
    *("user@fcm.googleapis.com", "fcm.googleapis.com.", "FCM.googleapis.COM", "fcm.googleapis.com.evil.example"),
    *("fcm%2egoogleapis.com", "evil.example\\@fcm.googleapis.com", "permanently-removed.invalid", "", ".", "fcm_x.com"),
)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.matrix)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, App, str]:
    """A database with Prisma's tables: its provider, the app's side, and its URL as Prisma's adapters take it."""
    if request.param == "sqlite":
        return "sqlite", _sqlite(tmp_path / "app.db"), f"file:{tmp_path / 'app.db'}"
    url = request.getfixturevalue("postgres_url")
    app = App(url, ())
    app.sql(tables("postgresql"))
    return "postgresql", app, url


def _sqlite(path: Path) -> App:
    connection = sqlite3.connect(path)
    connection.executescript(tables("sqlite"))
    connection.close()
    return App(f"sqlite:///{path}", ())


@pytest.fixture
async def routes(database: tuple[str, App, str], prisma_client: Callable[[str], Path]) -> AsyncIterator[Routes]:
    """The routes over that database."""
    provider, _, url = database
    async with serving(prisma_client(provider), DATABASE_URL=url) as running:
        yield running


def browser(subscription: Subscription) -> dict[str, Any]:
    """What `toJSON()` of the browser's subscription gives."""
    keys = {"p256dh": subscription.p256dh, "auth": subscription.auth}
    return {"endpoint": subscription.endpoint, "expirationTime": None, "keys": keys}


def rows(app: App) -> list[dict[str, Any]]:
    """The rows in the order of their endpoints."""
    return app.sql('SELECT * FROM "PushSubscription" ORDER BY "endpoint"')


async def test_rows_are_made_changed_moved_and_deleted(
    routes: Routes, database: tuple[str, App, str], push_service: PushService
) -> None:
    """Each as in memory: Prisma's client means by its methods what the routes mean."""
    _, app, _ = database
    mine, renewed = push_service.subscribe(USER), push_service.subscribe(USER)
    stolen = browser(push_service.subscribe("eve")) | {"endpoint": mine.endpoint}

    expiring = browser(mine) | {"expirationTime": 1_900_000_000_000}
    assert (201, {}) == await routes.subscribe(expiring)
    assert (200, {}) == await routes.subscribe(browser(mine))
    assert 409 == (await routes.subscribe(stolen, "eve"))[0]
    assert (200, {}) == await routes.subscribe(browser(mine), "bob")
    assert ["bob"] == [row["userId"] for row in rows(app)]
    [before] = rows(app)
    assert (200, {}) == await routes.subscribe(browser(renewed), "bob", oldEndpoint=mine.endpoint)
    [after] = rows(app)
    assert (before["id"], renewed.endpoint, renewed.p256dh) == (after["id"], after["endpoint"], after["p256dh"])

    for user, left in ((USER, 1), ("bob", 0), ("bob", 0)):
        answer = await routes.send("DELETE", "/api/push/subscriptions", {"endpoint": renewed.endpoint}, user)
        assert (204, None) == answer
        assert left == len(rows(app))


async def test_requests_at_once_leave_one_row_of_each_device(
    routes: Routes, database: tuple[str, App, str], push_service: PushService
) -> None:
    """A unique violation of the real database ends well, and 20 devices are left."""
    _, app, _ = database
    devices = [browser(push_service.subscribe(USER)) for _ in range(24)]

    answers = await asyncio.gather(*(routes.subscribe(device) for device in [*devices, *devices]))

    assert {status for status, _ in answers} <= {200, 201}
    endpoints = [row["endpoint"] for row in rows(app)]
    assert 20 == len(endpoints) == len(set(endpoints))


async def test_a_device_of_the_route_gets_a_push(
    redis_url: str, app: WorkerApp, push_service: PushService, prisma_client: Callable[[str], Path]
) -> None:
    """The worker finds the row, and the device decrypts the message."""
    require("bullmq6")
    (app.folder / "app.db").unlink()
    _sqlite(app.folder / "app.db")
    device = push_service.subscribe(USER)
    async with serving(prisma_client("sqlite"), DATABASE_URL=f"file:{app.folder / 'app.db'}") as routes:
        assert (201, {}) == await routes.subscribe(browser(device))
    payload = {"userId": USER, "payload": {"title": "Grüße"}}
    async with app.worker(), node_session(redis_url, "bullmq6") as bullmq:
        await bullmq("add", "push-notifications", "push-notification", payload)
        [received] = await until(lambda: push_service.received)
    assert {"title": "Grüße"} == received.json


async def test_the_route_takes_the_endpoints_that_the_worker_calls(
    tmp_path: Path, push_service: PushService, prisma_client: Callable[[str], Path]
) -> None:
    """Over a table and many odd URLs both have the same verdict. The route stores none that the worker refuses."""
    _sqlite(tmp_path / "app.db")
    keys = browser(push_service.subscribe(USER))
    endpoints = _endpoints()
    async with serving(prisma_client("sqlite"), DATABASE_URL=f"file:{tmp_path / 'app.db'}") as routes:
        answers = [(await routes.subscribe(keys | {"endpoint": url}))[0] for url in endpoints]
    verdicts = {url: status in {200, 201} for url, status in zip(endpoints, answers, strict=True)}
    assert {url: _worker_calls(url) for url in endpoints} == verdicts
    assert {True, False} == set(verdicts.values())


def _endpoints() -> list[str]:
    chance = random.Random(SEED)
    table = [f"https://{host}/x" for host in HOSTS]
    drawn = [
        f"{chance.choice(SCHEMES)}://{chance.choice(HOSTS)}{chance.choice(PORTS)}{chance.choice(PATHS)}"
        for _ in range(ROUNDS)
    ]
    noise = "".join(map(chr, (*range(1, 127), 0x3002, 0xFF0E, 0x131)))
    broken = [_spoilt(url, chance.choice(noise), chance.randrange(len(url) + 1)) for url in drawn[: ROUNDS // 3]]
    return list(dict.fromkeys([*table, *drawn, *broken, f"https://fcm.googleapis.com/{'x' * 2021}", "x" * 3000]))


def _spoilt(url: str, character: str, at: int) -> str:
    return url[:at] + character + url[at:]


def _worker_calls(endpoint: str) -> bool:
    try:
        AllowedHosts(local=True).parse(endpoint)
    except EndpointRefusedError:
        return False
    return True


async def test_the_route_takes_the_keys_that_the_worker_can_use(
    tmp_path: Path, push_service: PushService, prisma_client: Callable[[str], Path]
) -> None:
    """Broken keys are refused when the browser can still be asked again."""
    _sqlite(tmp_path / "app.db")
    device = push_service.subscribe(USER)
    pairs = _pairs(device)
    async with serving(prisma_client("sqlite"), DATABASE_URL=f"file:{tmp_path / 'app.db'}") as routes:
        answers = [
            (await routes.subscribe(browser(device) | {"keys": {"p256dh": point, "auth": secret}}))[0]
            for point, secret in pairs
        ]
    assert [_worker_can_use(*pair) for pair in pairs] == [status in {200, 201} for status in answers]


def _pairs(device: Subscription) -> list[tuple[str, str]]:
    point, secret = device.p256dh, device.auth
    raw = base64.urlsafe_b64decode(point + "=")
    padded = base64.b64encode(raw).decode()
    points = [
        *(point, padded, padded + "=", point[:-1], point + "A", point[1:], "", "=", raw.hex(), f'"{point}"'),
        *(_text(bytes([first]) + raw[1:]) for first in (0, 2, 3, 5, 6, 7)),
        *(_text(raw[:33]), _text(raw[:-1] + bytes([raw[-1] ^ 1])), _text(bytes(65)), point.swapcase(), point + "\n\n="),
    ]
    secrets = [
        secret,
        secret + "==",
        secret[:-1],
        secret + "A",
        "",
        _text(b"\xff" * 16),
        "+/" + secret[2:],
        "%" + secret,
    ]
    return [*((each, secret) for each in points), *((point, each) for each in secrets)]


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _worker_can_use(point: str, secret: str) -> bool:
    try:
        keys_of(Subscription("1", USER, "https://fcm.googleapis.com/x", point, secret, None))
    except InvalidKeysError:
        return False
    return True
