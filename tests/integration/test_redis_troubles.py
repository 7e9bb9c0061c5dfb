"""Redis answers and refuses: loops, API and metrics name the trouble, and go on when it is over."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis

from embedded.redis_server import free_port
from processors.features import FEATURES
from queue_lib import wiring
from queue_lib.admin.admin import Admin
from queue_lib.admin.backends import Backends
from queue_lib.admin.bullmq.inspector import BullMQInspector
from queue_lib.broker.board import RedisBoard
from queue_lib.broker.bullmq.dead_letters import BullMQDeadLetters
from queue_lib.broker.connection import client, options
from queue_lib.broker.heartbeats import RedisHeartbeats
from queue_lib.broker.preflight import check_redis
from queue_lib.broker.trouble import outages_translated
from queue_lib.errors import BrokerUnavailableError, ConfigurationError, Trouble
from queue_lib.job import Wire
from queue_lib.observe.events import InternalFault, to_all
from queue_lib.observe.worker_stats import WorkerStats, WorkerView
from queue_lib.processor import Registry
from queue_lib.runner.reporter import Reporter
from queue_lib.settings import WorkerSettings, load
from queue_lib.web.api.app import build
from tests.support.api_client import FULL, JOB, Client, client_of
from tests.support.exposition import Exposition
from tests.support.polling import until
from tests.support.queues import QUEUES
from tests.support.redis_server import RedisServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from queue_lib.observe.events import Event
    from queue_lib.runner.launcher import Launcher

Lift = contextlib.AbstractContextManager[None]


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A Redis of its own."""
    with RedisServer() as server:
        yield server


@pytest.fixture
async def loops(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Launcher]:
    """A worker's loops on both wires of all queues."""
    monkeypatch.setenv("REDIS_URL", server.url)
    [settings] = load(WorkerSettings)
    launcher = wiring.launcher(settings, QUEUES, Registry([]))
    await launcher.start()
    try:
        await until(lambda: well(launcher), 10.0, launcher.states)
        yield launcher
    finally:
        await launcher.stop(5.0)


@pytest.fixture
async def ask(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    """A client of the API over the same server."""
    monkeypatch.setenv("REDIS_URL", server.url)
    [settings] = load(WorkerSettings)
    async with client_of(build(partial(wiring.admin, settings, FEATURES, by="api"), [FULL], rate=10_000)) as ask:
        yield ask


def well(launcher: Launcher) -> bool:
    """Whether all loops take jobs."""
    return all(state.trouble is None for state in launcher.states())


def ill(launcher: Launcher, trouble: Trouble) -> bool:
    """Whether all loops report this trouble."""
    return all((state.trouble or "").startswith(f"{trouble.value}, for ") for state in launcher.states())


@contextlib.contextmanager
def full(server: RedisServer) -> Iterator[None]:
    """Redis uses more memory than it may."""
    with redis.Redis.from_url(server.url) as connection:
        connection.config_set("maxmemory", "1mb")
        yield
        connection.config_set("maxmemory", "0")


@contextlib.contextmanager
def unsaved(server: RedisServer) -> Iterator[None]:
    """Redis can't write to its disk: its directory is gone."""
    with redis.Redis.from_url(server.url) as connection:
        connection.set("unsaved", 1)
        connection.config_set("save", "1 1")
        shutil.rmtree(server._data.name)
        deadline = time.monotonic() + 20
        while connection.info("persistence")["rdb_last_bgsave_status"] == "ok":
            assert time.monotonic() < deadline, connection.info("persistence")
            with contextlib.suppress(redis.ResponseError):
                connection.bgsave()
            time.sleep(0.05)
        yield
        connection.config_set("stop-writes-on-bgsave-error", "no")
        os.makedirs(server._data.name, exist_ok=True)  # noqa: PTH103 -- for its clean-up


@contextlib.contextmanager
def demoted(server: RedisServer) -> Iterator[None]:
    """Redis is a replica of a server that is away."""
    with redis.Redis.from_url(server.url) as connection:
        connection.replicaof("127.0.0.1", "1")
        yield
        connection.replicaof("NO", "ONE")


@contextlib.contextmanager
def locked(server: RedisServer) -> Iterator[None]:
    """Its password was changed, and connections were closed."""
    with redis.Redis.from_url(server.url) as connection:
        connection.config_set("requirepass", "rotated")
        connection.auth("rotated")
        kill_others(connection)
        yield
        connection.config_set("requirepass", "")


@contextlib.contextmanager
def crowded(server: RedisServer) -> Iterator[None]:
    """Others have all its connections."""
    with redis.Redis.from_url(server.url) as connection:
        connection.config_set("maxclients", "1")
        kill_others(connection)
        yield
        connection.config_set("maxclients", "1000")


def kill_others(connection: redis.Redis) -> None:
    """End all connections but this one."""
    connection.execute_command("CLIENT", "KILL", "SKIPME", "yes")  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("bring", "trouble"),
    [
        (full, Trouble.FULL),
        (unsaved, Trouble.UNSAVED),
        (demoted, Trouble.REPLICA),
        (locked, Trouble.LOCKED),
        (crowded, Trouble.CROWDED),
    ],
)
async def test_a_server_that_refuses_is_not_away(
    server: RedisServer, loops: Launcher, ask: Client, bring: Callable[[RedisServer], Lift], trouble: Trouble
) -> None:
    """Loops, 503s, readiness and metrics name its trouble, not an outage; then all go on by themselves."""

    async def is_told() -> bool:
        answers = [await ask("POST", "/queue/jobs", json=JOB), await ask("GET", "/readyz")]
        metrics = Exposition((await ask("GET", "/metrics")).text)
        seen.append(
            (
                {state.redis for state in loops.states()},
                [(each.status_code, each.json()["detail"]) for each in answers],
                [metrics("pushmill_redis_trouble", trouble=each) for each in (trouble.word, Trouble.AWAY.word)],
                metrics("pushmill_redis_up"),
            )
        )
        return seen[-1] == ({trouble}, [(503, trouble.value)] * 2, [1, 0], 1)

    seen = list[object]()
    with bring(server):
        # A connection that is refused may be reset before its reason is read: this one ask says that Redis is away.
        await until(partial(ill, loops, trouble), 20.0, loops.states)
        told: bool = await until(is_told, 20.0, lambda: seen)
        assert told

    await until(partial(well, loops), 20.0, loops.states)
    assert 202 == (await ask("POST", "/queue/jobs", json=JOB)).status_code
    assert 200 == (await ask("GET", "/readyz")).status_code


def load_slowly(server: RedisServer) -> None:
    """Restart it with data that takes two seconds to load, while it answers."""
    with redis.Redis.from_url(server.url) as connection:
        for number in range(60):
            connection.set(f"key-{number}", os.urandom(2**20))  # it answers once in 2 MiB
        connection.save()
    dump = Path(server._data.name, "dump.rdb")
    data = dump.read_bytes()
    server.stop()
    dump.write_bytes(data)
    command = server._command
    server._command = lambda: [*command(), "--key-load-delay", "33000"]  # type: ignore[method-assign]
    server.start()


async def test_a_server_that_loads_its_data(server: RedisServer) -> None:
    """It reports that it loads, and is well when it is done."""
    probe = client(options(server.url), decode=True, name="test")
    starting = asyncio.create_task(asyncio.to_thread(load_slowly, server))
    seen: set[Trouble] = set()
    while not starting.done():
        try:
            with outages_translated():
                await probe.incr("loaded")
        except BrokerUnavailableError as error:
            seen.add(error.trouble)
    await starting
    await probe.incr("loaded")
    await probe.aclose()

    assert Trouble.LOADING in seen
    assert seen <= {Trouble.LOADING, Trouble.AWAY}


async def test_a_server_in_cluster_mode(server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing starts on it. One line says what to do, and so does every later answer."""
    with redis.Redis.from_url(server.url) as connection:
        can_choose = int(str(connection.info("server")["redis_version"]).partition(".")[0]) >= 7
    server.stop()
    command = server._command
    more = ("--cluster-enabled", "yes", *(("--cluster-port", str(free_port())) if can_choose else ()))
    server._command = lambda: [*command(), *more]  # type: ignore[method-assign]
    server.start()
    with redis.Redis.from_url(server.url) as connection:
        connection.execute_command("CLUSTER", "ADDSLOTS", *range(16_384))
    with pytest.raises(ConfigurationError) as caught:
        await check_redis(options(server.url))
    assert f"REDIS_URL: {Trouble.CLUSTER.value}" in caught.value.faults
    assert "set WIRES=bullmq and BULLMQ_PREFIX={bull}" in Trouble.CLUSTER.value
    for prefix, wires in (("{bull}", [Wire.RQ]), ("bull", [Wire.BULLMQ]), ("{}bull", [Wire.BULLMQ])):
        with pytest.raises(ConfigurationError, match="cluster mode"):
            await check_redis(options(server.url), prefix=prefix, wires=wires)
    await check_redis(options(server.url), prefix="app-{bull}", wires=[Wire.BULLMQ])
    monkeypatch.setenv("REDIS_URL", server.url)
    [settings] = load(WorkerSettings)
    async with client_of(build(partial(wiring.admin, settings, FEATURES, by="api"), [FULL], rate=100)) as ask:
        await until(lambda: _is(ask, "GET", "/readyz", Trouble.CLUSTER), 10.0)
        answer = await ask("POST", "/queue/jobs", json=JOB)
        assert (503, Trouble.CLUSTER.value) == (answer.status_code, answer.json()["detail"])


async def test_a_sentinel_keeps_no_jobs(server: RedisServer, tmp_path: Path) -> None:
    """One line says so: it would take no command of a queue."""
    server.stop()
    settings = tmp_path / "sentinel.conf"
    settings.write_text("")
    executable, _, *ours = server._command()
    port = ours[ours.index("--port") + 1]
    server._command = lambda: [executable, str(settings), "--sentinel", "--port", port]  # type: ignore[method-assign]
    server.start()
    with pytest.raises(ConfigurationError, match="REDIS_URL: a Sentinel is there, which keeps no jobs"):
        await check_redis(options(server.url))


async def _is(ask: Client, method: str, path: str, trouble: Trouble) -> Any:
    answer = await ask(method, path)
    return answer.status_code == 503 and answer.json()["detail"] == trouble.value


async def test_a_server_that_hangs(server: RedisServer, ask: Client) -> None:
    """Readiness answers at once, long before a command times out; the server is asked once."""
    assert 200 == (await ask("GET", "/readyz")).status_code
    with server.frozen():
        since = time.monotonic()
        answers = await asyncio.gather(*(ask("GET", "/readyz") for _ in range(5)))
        seconds = time.monotonic() - since

    assert {(503, "Redis can't be reached")} == {(each.status_code, each.json()["detail"]) for each in answers}
    assert seconds < 10  # two, on a machine that is not busy; a command is given up after twenty
    await until(lambda: _is_ready(ask), 20.0)


async def _is_ready(ask: Client) -> Any:
    return (await ask("GET", "/readyz")).status_code == 200


async def test_a_server_that_has_lost_data_is_noticed() -> None:
    """Emptied, or set back to an earlier state; a restart that keeps the data is neither."""
    events: list[Event] = []
    with RedisServer(appendonly=True) as server:
        shared = client(options(server.url), decode=True, name="test")
        stats = WorkerStats()
        me = WorkerView(name="w", host="h", pid=1, started_at=1.0, queues=("work",), wires=(Wire.RQ,))
        reporter = Reporter(me, stats, RedisHeartbeats(shared, "bull"), lambda: 5, to_all(events.append, stats))
        for _ in range(2):
            await reporter.send()
        earlier: Any = await shared.hgetall("bull:pulse:data")
        await reporter.send()
        server.stop()
        server.start()
        await reporter.send()
        assert [] == events
        await shared.hset("bull:pulse:data", mapping=earlier)
        await reporter.send()
        await shared.flushall()
        for _ in range(2):  # the second one tells what was counted
            await reporter.send()
        backends = Backends(
            inspectors=[BullMQInspector(shared, "bull")],
            dead_letters=BullMQDeadLetters(shared, "bull"),
            heartbeats=reporter._heartbeats,
            board=RedisBoard(shared, "bull"),
            queues=[],
        )
        admin = Admin(backends, by="ada")
        faults = await admin.workers.faults(15)
        await shared.aclose()

    assert ["it has older data", "it was emptied, or is another server"] == [
        event.failure.reason.removeprefix("Redis has lost data that it had: ")
        for event in events
        if isinstance(event, InternalFault)
    ]
    assert 1 <= faults["redis_lost_data"] <= 2
