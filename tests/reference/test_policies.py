"""What such systems set in their environment and in their queues, beside what the worker has without any setting."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from processors.features import FEATURES
from queue_lib.feature import jobs_of
from queue_lib.job import Backoff
from queue_lib.queues import DAY, Retention
from queue_lib.redis_settings import RedisSettings
from queue_lib.settings import load, queue_settings
from tests.support.queues import QUEUES

if TYPE_CHECKING:
    from pathlib import Path

ROWS = {row.name: row for row in QUEUES}
EXPONENTIAL_2_S, EXPONENTIAL_5_S = Backoff((2.0,), exponential=True), Backoff((5.0,), exponential=True)


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only the test's own variables."""
    monkeypatch.chdir(tmp_path)
    for name in RedisSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(("password", "login"), [("", ""), ("null", ""), ("s3cret", ":s3cret@")])
def test_redis_by_host_and_port(monkeypatch: pytest.MonkeyPatch, password: str, login: str) -> None:
    """`REDIS_HOST`, `REDIS_PORT`, `REDIS_PASSWORD` (empty, or null, for none) and `REDIS_DB`, without a URL."""
    for name, value in (("HOST", "redis"), ("PORT", "6379"), ("PASSWORD", password), ("DB", "0")):
        monkeypatch.setenv(f"REDIS_{name}", value)
    [settings] = load(RedisSettings)

    assert f"redis://{login}redis:6379/0" == settings.redis


@pytest.mark.parametrize(
    ("queue", "variable", "default"),
    [
        ("email", "EMAIL_WORKER_CONCURRENCY", 5),
        ("search", "SEARCH_WORKER_CONCURRENCY", 5),
        ("notifications", "NOTIFICATION_WORKER_CONCURRENCY", 3),
        ("push-notifications", "PUSH_NOTIFICATIONS_WORKER_CONCURRENCY", 30),
    ],
)
def test_the_concurrency_of_a_queue(monkeypatch: pytest.MonkeyPatch, queue: str, variable: str, default: int) -> None:
    """Its variable and its default are those of such systems.

    Pushes alone have another one: they wait for push services most of the time, so 5 or 3 at once would be slow.
    """
    assert default == ROWS[queue].concurrency

    monkeypatch.setenv(variable, "7")
    [settings] = load(queue_settings(ROWS[queue]))
    assert 7 == settings.model_dump()["concurrency"]


def test_one_concurrency_for_all_queues(monkeypatch: pytest.MonkeyPatch) -> None:
    """`QUEUE_CONCURRENCY` is not read: five jobs at once are few pushes and many videos, so each queue has its own."""
    monkeypatch.setenv("QUEUE_CONCURRENCY", "1")

    concurrencies = {row.name: load(queue_settings(row))[0].model_dump()["concurrency"] for row in QUEUES}
    assert {name: row.concurrency for name, row in ROWS.items()} == concurrencies


@pytest.mark.parametrize(
    ("queue", "attempts", "backoff", "completed", "failed"),
    [
        ("push-notifications", 3, EXPONENTIAL_2_S, Retention(age=DAY, count=1000), Retention(age=7 * DAY)),
        ("file-processing", 2, EXPONENTIAL_5_S, Retention(age=7 * DAY, count=500), Retention(age=7 * DAY)),
        ("email", 3, EXPONENTIAL_5_S, Retention(age=DAY, count=1000), Retention(age=7 * DAY)),
    ],
)
def test_the_defaults_of_a_queue(
    queue: str, attempts: int, backoff: Backoff, completed: Retention, failed: Retention
) -> None:
    """`defaultJobOptions` of such systems are the worker's own, so a producer may leave them out.

    E-mail begins at 5 seconds, not at 2, since mail servers that put a mail off want more time.
    """
    row = ROWS[queue]
    assert (attempts, backoff, completed, failed) == (row.attempts, row.backoff, row.keep_completed, row.keep_failed)


@pytest.mark.parametrize(
    ("queue", "name", "attempts"),
    [("email", "password_reset", 5), ("email", "generic", 3), ("search", "index_doc", 5), ("search", "backfill", 3)],
)
def test_the_attempts_of_a_job(queue: str, name: str, attempts: int) -> None:
    """By its name, where its producer sets none."""
    schemas = {job.name: job.attempts or ROWS[job.queue].attempts for job in jobs_of(FEATURES) if job.queue == queue}
    assert attempts == schemas[name]


@pytest.mark.parametrize(("queue", "most"), [("push-notifications", 100), ("file-processing", 50)])
def test_the_rate_of_a_queue(queue: str, most: int) -> None:
    """`limiter: { max, duration: 1000 }` of such systems; here it holds over all processes and both wires."""
    assert (most, 1.0) == (ROWS[queue].rate_max, ROWS[queue].rate_duration)


@pytest.mark.parametrize(
    ("profile", "queues"),
    [("light", {"push-notifications", "email", "notifications", "search"}), ("heavy", {"file-processing"})],
)
def test_the_queues_of_a_worker_type(profile: str, queues: set[str]) -> None:
    """`WORKER_TYPE=light` has notifications and mails, `heavy` has videos."""
    assert queues == {row.name for row in QUEUES if row.profile == profile}
