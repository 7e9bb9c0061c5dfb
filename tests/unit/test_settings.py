"""The environment, read once and validated at start."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from queue_lib.broker.connection import redis_options
from queue_lib.errors import ConfigurationError
from queue_lib.job import Wire
from queue_lib.queues import Queue
from queue_lib.settings import WorkerSettings, env_name, load, misspelt, queue_settings
from tests.support.tls import make_certificate

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """Only the test's own variables: nothing from the machine, no `.env`."""
    monkeypatch.chdir(str(tmp_path))
    names = [*WorkerSettings.model_fields, "push_notifications_concurrency", "file_processing_rate_max"]
    for name in names:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("REDIS_URL", "redis://localhost:6379")


def read() -> WorkerSettings:
    """The worker's own settings."""
    [settings] = load(WorkerSettings)
    assert isinstance(settings, WorkerSettings)
    return settings


def test_defaults() -> None:
    """With nothing set the worker serves both wires."""
    worker = read()
    assert (Wire.BULLMQ, Wire.RQ) == worker.wires
    assert (22.0, 30.0, "bull") == (worker.shutdown_grace, worker.lease_duration, worker.bullmq_prefix)


@pytest.mark.parametrize(
    ("queue", "name"),
    [
        ("search", "SEARCH_WORKER_CONCURRENCY"),
        ("notifications", "NOTIFICATIONS_WORKER_CONCURRENCY"),
        ("notifications", "NOTIFICATION_WORKER_CONCURRENCY"),
        ("push-notifications", "PUSH_NOTIFICATIONS_WORKER_CONCURRENCY"),
    ],
)
def test_a_queue_s_concurrency_has_a_second_name(monkeypatch: pytest.MonkeyPatch, queue: str, name: str) -> None:
    """Apps with BullMQ call it so, a queue in the singular, too; our own name wins, and is the one in a fault."""
    model = queue_settings(Queue(name=queue, concurrency=5))
    own = f"{env_name(Queue(name=queue))}_CONCURRENCY"
    monkeypatch.delenv(own, raising=False)
    assert [settings.model_dump()["concurrency"] for settings in load(model)] == [5]

    monkeypatch.setenv(name, "0")
    with pytest.raises(ConfigurationError, match=own):
        load(model)
    monkeypatch.setenv(name, "7")
    assert misspelt(model) == {}
    assert [settings.model_dump()["concurrency"] for settings in load(model)] == [7]
    monkeypatch.setenv(own, "3")
    assert [settings.model_dump()["concurrency"] for settings in load(model)] == [3]


def test_redis_tls_url_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts that set both mean REDIS_TLS_URL; then REDIS_URL may be missing."""
    monkeypatch.setenv("REDIS_TLS_URL", "rediss://h:p@example.com:6380")
    monkeypatch.delenv("REDIS_URL")
    worker = read()
    assert "rediss://h:p@example.com:6380" == worker.redis


def test_an_unverified_certificate_needs_a_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """TLS is verified unless a CA is given or verification is switched off explicitly."""
    monkeypatch.setenv("REDIS_URL", "rediss://example.com")
    assert "ssl_cert_reqs" not in redis_options(read())
    ca = str(make_certificate(tmp_path)[0])
    monkeypatch.setenv("REDIS_TLS_CA", ca)
    assert ca == redis_options(read())["ssl_ca_certs"]
    monkeypatch.delenv("REDIS_TLS_CA")
    monkeypatch.setenv("REDIS_TLS_INSECURE", "1")
    assert "none" == redis_options(read())["ssl_cert_reqs"]


def test_a_url_of_another_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a fault of REDIS_URL, and its password is not shown."""
    monkeypatch.setenv("REDIS_URL", "postgres://user:s3cret@example.com")
    with pytest.raises(ConfigurationError, match="REDIS_URL: not a Redis URL") as caught:
        redis_options(read())
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("redis://localhost/0", None),
        ("redis://localhost", None),
        ("redis://localhost/", None),
        ("unix:///run/redis.sock?db=2", None),
        ("redis://localhost/2?protocol=3", None),
        ("redis://localhost/zero", "REDIS_URL: the database after the host is no number"),
        ("redis://localhost/1/2", "REDIS_URL: the database after the host is no number"),
        ("redis://localhost/-1", "REDIS_URL: the database after the host is no number"),
        ("redis://localhost?db=zero", "REDIS_URL: not a Redis URL"),
        ("redis://localhost/0?family=6", "REDIS_URL: it has an option that is not taken"),
        ("redis://localhost/0?max_connections=9", "REDIS_URL: it has an option that is not taken"),
        ("redis://localhost/0?client_name=app", "REDIS_URL: it has an option that is not taken"),
        ("redis://:s3cret/word@localhost", "REDIS_URL: not a Redis URL"),
    ],
)
def test_a_url_is_taken_as_it_is_meant_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch, url: str, fault: str | None
) -> None:
    """A URL that redis-py would misread, or fail on when it connects, is a fault of the start."""
    monkeypatch.setenv("REDIS_URL", url)
    worker = read()
    if fault is None:
        redis_options(worker)
        return
    with pytest.raises(ConfigurationError, match=f"^{fault}") as caught:
        redis_options(worker)
    assert "s3cret" not in str(caught.value)


def test_the_variable_at_fault_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of the two for the URL it is the one in use; an unreadable CA is a fault of REDIS_TLS_CA."""
    (tmp_path / "no.pem").write_text("no certificate")
    monkeypatch.setenv("REDIS_TLS_URL", "rediss://localhost/zero")
    for ca, fault in (
        ("/nope.pem", "can't be read: No such file"),
        (f"{tmp_path}/no.pem", "has no certificate in PEM"),
    ):
        monkeypatch.setenv("REDIS_TLS_CA", ca)
        with pytest.raises(ConfigurationError) as caught:
            redis_options(read())
        url, other = caught.value.faults
        assert url.startswith("REDIS_TLS_URL: the database")
        assert other.startswith(f"REDIS_TLS_CA: {ca} {fault}")


def test_a_host_in_place_of_the_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many apps with BullMQ have it; the password is taken as it is, and null stands for none."""
    monkeypatch.delenv("REDIS_URL")
    monkeypatch.setenv("REDIS_HOST", "redis.internal")
    monkeypatch.setenv("REDIS_PASSWORD", "null")
    assert ("redis://redis.internal:6379/0", "REDIS_HOST") == (read().redis, read().redis_variable)

    for name, value in (("REDIS_HOST", "::1"), ("REDIS_PORT", "6380"), ("REDIS_PASSWORD", "a/b@c%"), ("REDIS_DB", "2")):
        monkeypatch.setenv(name, value)
    wanted = {"host": "::1", "port": 6380, "password": "a/b@c%", "db": 2}
    assert wanted == {name: value for name, value in redis_options(read()).items() if name in wanted}
    assert "a/b@c%" not in repr(read())

    monkeypatch.setenv("REDIS_PORT", "70000")
    with pytest.raises(ConfigurationError, match="REDIS_PORT: Input should be less than or equal to 65535"):
        read()


@pytest.mark.parametrize("host", ["redis://redis.internal", "redis.internal:6380", "user@redis.internal", "a/b", "a b"])
def test_a_host_is_a_host_alone(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """What else stands there would become a part of a URL; the line says where it goes."""
    monkeypatch.delenv("REDIS_URL")
    monkeypatch.setenv("REDIS_HOST", host)
    with pytest.raises(ConfigurationError, match=r"^REDIS_HOST: no host alone; .* REDIS_PORT, or a URL in REDIS_URL$"):
        redis_options(read())


@pytest.mark.parametrize("variable", ["REDIS_URL", "REDIS_TLS_URL"])
def test_a_url_wins_over_the_host(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """Beside it the variables of the host are not even read: platforms set them, too."""
    monkeypatch.delenv("REDIS_URL")
    monkeypatch.setenv(variable, "rediss://example.com")
    monkeypatch.setenv("REDIS_HOST", "redis.internal")
    monkeypatch.setenv("REDIS_PORT", "tcp://10.0.0.1:6379")
    monkeypatch.setenv("REDIS_DB", "none")
    assert ("rediss://example.com", variable) == (read().redis, read().redis_variable)


def test_a_misspelt_variable_stands_beside_the_one_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named with the fault that it has caused, without its value."""
    monkeypatch.delenv("REDIS_URL")
    monkeypatch.setenv("REDIS_ULR", "redis://:s3cret@localhost")
    with pytest.raises(ConfigurationError) as caught:
        read()

    assert "REDIS_ULR: no such setting; is REDIS_URL meant?" == caught.value.faults[1]
    assert "s3cret" not in str(caught.value)


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """It means the default, because some hosts' forms can't remove one."""
    monkeypatch.setenv("WIRES", "")
    assert tuple(Wire) == read().wires


def test_a_dotenv_file_serves_development(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """In development `.env` in the working directory is read; a real variable wins over it."""
    with open(f"{tmp_path}/.env", "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write("BULLMQ_PREFIX=mine\nREDIS_URL=redis://elsewhere\n")
    monkeypatch.setenv("BULLMQ_PREFIX", "")
    monkeypatch.delenv("BULLMQ_PREFIX")
    worker = read()
    assert ("mine", "redis://localhost:6379") == (worker.bullmq_prefix, worker.redis)


def test_a_dotenv_file_that_can_not_be_read(tmp_path: Path) -> None:
    """It is one line, beside all other faults; a folder of that name is no fault."""
    (tmp_path / ".env").write_bytes(b"REDIS_URL=redis://:s3cret\xe9@localhost\n")
    with pytest.raises(ConfigurationError) as caught:
        read()
    assert (".env: can't be read: it is no UTF-8",) == caught.value.faults

    (tmp_path / ".env").unlink()
    (tmp_path / ".env").mkdir()
    assert "redis://localhost:6379" == read().redis
