"""Programs that some tests need, and that no wheel brings: with CI a test that misses one fails, else it is skipped."""

from __future__ import annotations

import shutil
from pathlib import Path  # noqa: TC003 -- pydantic reads it

import pytest
from pydantic_settings import BaseSettings, SettingsConfigDict


class CiSettings(BaseSettings):
    """With `ci` nothing is skipped."""

    model_config = SettingsConfigDict(env_ignore_empty=True)

    ci: str | None = None


class ServerSettings(BaseSettings):
    """Other servers than those of the wheels, for the whole test session."""

    model_config = SettingsConfigDict(env_ignore_empty=True)

    redis_test_server: Path | None = None  # the program: a redis-server or valkey-server
    postgres_test_bin: Path | None = None  # the folder of the programs `initdb` and `postgres`
    s3_test_url: str | None = None  # the endpoint; key and secret are both `testing`


def find_program(settings: CiSettings, missing: str, *names: str, given: Path | None = None) -> str:
    """The path of a program: the one that is given, or the first one found by name.

    Without one the test is skipped, and fails where nothing may be skipped: `missing` says what to do.
    """
    found = str(given) if given else next(filter(None, map(shutil.which, names)), None)
    if found is None and settings.ci:
        pytest.fail(missing)
    if found is None:
        pytest.skip(missing)
    return found
