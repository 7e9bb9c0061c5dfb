"""The environment of maintenance: what is refused at the start, and in which words."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from processors.maintenance.feature import MAINTENANCE
from processors.maintenance.opening import opened
from processors.maintenance.payload import HousekeepingPayload, HousekeepingResult
from processors.maintenance.settings import MaintenanceSettings
from processors.tools import Tools
from queue_lib.broker.app_cache import MemoryAppCache
from queue_lib.errors import ConfigurationError
from queue_lib.feature import Opened, Served
from queue_lib.serving import choose
from queue_lib.settings import Reading, WorkerSettings, is_configured, load
from storage.facade import Storage
from storage.settings import DatabaseSettings, ObjectsSettings
from tests.support.fakes import FakeContext

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_settings import BaseSettings

VARIABLES = [name.upper() for name in MaintenanceSettings.model_fields]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """None of the variables, and no `.env`."""
    monkeypatch.chdir(tmp_path)
    for name in (*VARIABLES, "DATABASE_URL", "STORAGE_URL", "QUEUES", "WORKER_TYPE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REDIS_URL", "redis://unused")


def faults(monkeypatch: pytest.MonkeyPatch, values: Mapping[str, str]) -> tuple[str, ...]:
    """The lines that the process ends with."""
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    try:
        load(MaintenanceSettings)
    except ConfigurationError as error:
        return error.faults
    return ()


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({}, "CACHE_PREFIX: not set, nor is any CLEANUP_"),
        ({"CLEANUP_MAX": "5"}, "CACHE_PREFIX: not set, nor is any CLEANUP_"),
        ({"CLEANUP_PREFIXES": "/"}, "CLEANUP_PREFIXES: not a list of prefixes"),
        ({"CLEANUP_PREFIXES": "tmp,../x"}, "CLEANUP_PREFIXES: not a list of prefixes"),
        ({"CLEANUP_PREFIXES": "s3://bucket/tmp"}, "CLEANUP_PREFIXES: not a list of prefixes"),
        ({"CLEANUP_PREFIXES": "tmp//"}, "CLEANUP_PREFIXES: not a list of prefixes"),
        ({"CLEANUP_DIRS": "tmp"}, "CLEANUP_DIRS: not a list of absolute directories"),
        ({"CLEANUP_DIRS": "/"}, "CLEANUP_DIRS: not a list of absolute directories"),
        ({"CLEANUP_DIRS": "/a/../b"}, "CLEANUP_DIRS: not a list of absolute directories"),
        ({"CLEANUP_DIRS": "/a/x,/b/x"}, "CLEANUP_DIRS: two have the same name"),
        ({"CLEANUP_DIRS": "/a/tmp", "CLEANUP_PREFIXES": "tmp/work"}, "CLEANUP_DIRS: two have the same name"),
        ({"CLEANUP_LOGS": "Log"}, "CLEANUP_LOGS: not a table with its column"),
        ({"CLEANUP_SESSIONS": ".expires"}, "CLEANUP_SESSIONS: not a table with its column"),
        ({"CLEANUP_LOGS": "a.b", "CLEANUP_MAX": "0"}, "CLEANUP_MAX: "),
        ({"CACHE_PREFIX": "c:", "APP_INTERNAL_URL": "ftp://x"}, "APP_INTERNAL_URL: not a plain web address"),
        ({"CACHE_PREFIX": "c:", "APP_INTERNAL_URL": "http://u:p@x"}, "APP_INTERNAL_URL: not a plain web address"),
        ({"CACHE_PREFIX": "c:", "APP_INTERNAL_URL": "http://x/../y"}, "APP_INTERNAL_URL: not a plain web address"),
        ({"CACHE_PREFIX": "c:", "APP_INTERNAL_TOKEN": "a\nb"}, "APP_INTERNAL_TOKEN: has a character"),
    ],
)
def test_a_wrong_value_is_one_line(monkeypatch: pytest.MonkeyPatch, values: dict[str, str], fault: str) -> None:
    """With its variable, and what is right."""
    [line] = faults(monkeypatch, values)
    assert line.startswith(fault)


@pytest.mark.parametrize(
    "values",
    [
        {"CACHE_PREFIX": "cache:"},
        {"CLEANUP_PREFIXES": "exports/, tmp"},
        {"CLEANUP_DIRS": "/srv/scratch"},
        {"CLEANUP_LOGS": "Audit.Log.createdAt"},
        {"CLEANUP_SESSIONS": "Session.expires"},
        {"CLEANUP_SUBSCRIPTIONS": "1"},
    ],
)
def test_one_variable_is_enough(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    """The queue is served then, and without any it is not."""
    assert not is_configured(MAINTENANCE.settings)
    assert faults(monkeypatch, values) == ()
    assert is_configured(MAINTENANCE.settings)
    served = choose([MAINTENANCE], Reading())
    assert [queue.name for queue in served.queues] == ["maintenance"]
    assert list(served.schedules["maintenance"]) == ["pushmill:maintenance:daily"]


def test_values_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table's name may have a dot."""
    monkeypatch.setenv("CLEANUP_PREFIXES", "exports/, tmp")
    monkeypatch.setenv("CLEANUP_DIRS", "/srv/scratch")
    monkeypatch.setenv("CLEANUP_LOGS", "audit.Log.createdAt")
    [settings] = load(MaintenanceSettings)
    assert settings.cleanup_prefixes == ("exports", "tmp")
    assert settings.cleanup_dirs == (Path("/srv/scratch"),)
    assert settings.cleanup_logs == ("audit.Log", "createdAt")


async def ready(*others: BaseSettings, **values: Any) -> Opened:
    """The feature, opened with these settings."""
    settings = MaintenanceSettings.model_construct(**{"cache_prefix": None, **values})
    models = (settings, *others)
    served = Served(
        worker=WorkerSettings(redis_url="redis://unused"),
        queues=MAINTENANCE.queues,
        features=(MAINTENANCE,),
        settings={type(model): model for model in models},
    )
    found: dict[type[BaseSettings], BaseSettings] = {type(model): model for model in others}
    storage = Storage(found.get(DatabaseSettings), found.get(ObjectsSettings))  # type: ignore[arg-type]  # of these types
    tools = Tools(storage, None, None, None, lambda _: MemoryAppCache())  # type: ignore[arg-type]  # not used
    async with opened(served, tools) as feature:
        return feature


@pytest.mark.parametrize("prefix", ["b", "bull", "bull:", "bull:cache:", "r", "rq", "rq:job:"])
async def test_a_prefix_of_the_queues_is_refused(prefix: str) -> None:
    """Whatever Redis the cache is in: two names may lead to one server."""
    with pytest.raises(ConfigurationError, match="CACHE_PREFIX: keys of the queues begin with bull: or rq:"):
        await ready(cache_prefix=prefix)


async def test_what_needs_a_server_that_is_not_set_is_told_at_the_start(tmp_path: Path) -> None:
    """All at once."""
    with pytest.raises(ConfigurationError) as caught:
        await ready(
            cleanup_prefixes=("tmp",),
            cleanup_logs=("Log", "at"),
            cleanup_sessions=("Session", "expires"),
            cleanup_subscriptions=True,
            app_internal_url="http://app",
        )
    assert [fault.partition(":")[0] for fault in caught.value.faults] == [
        "CLEANUP_LOGS",
        "CLEANUP_SESSIONS",
        "CLEANUP_SUBSCRIPTIONS",
        "CLEANUP_PREFIXES",
        "APP_INTERNAL_TOKEN",
    ]
    (tmp_path / "link").symlink_to(tmp_path)
    for path in (tmp_path / "none", tmp_path / "link"):
        with pytest.raises(ConfigurationError, match=f"CLEANUP_DIRS: there is no directory {path}, or it is a link"):
            await ready(cleanup_dirs=(path,))


async def test_the_facts_say_what_may_be_cleaned(tmp_path: Path) -> None:
    """So an operator sees it without the environment."""
    (tmp_path / "scratch").mkdir()
    stored = ObjectsSettings(storage_url=tmp_path.as_uri())
    feature = await ready(
        stored, cleanup_prefixes=("exports",), cleanup_dirs=(tmp_path / "scratch",), cache_prefix="cache:"
    )
    assert feature.facts == {"cachePrefix": "cache:", "cleanupPlaces": "exports, scratch"}
    assert set(feature.processors) == {job.name for job in MAINTENANCE.jobs}


async def test_a_directory_that_is_called_exports_is_not_that_of_exports(tmp_path: Path) -> None:
    """Only jobs clean directories; housekeeping leaves them alone, however old their files are."""
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports/a").touch()
    os.utime(tmp_path / "exports/a", (1, 1))
    feature = await ready(cleanup_dirs=(tmp_path / "exports",))
    result = await feature.processors["housekeeping"](HousekeepingPayload(), FakeContext())
    assert result == HousekeepingResult()
    assert (tmp_path / "exports/a").exists()
