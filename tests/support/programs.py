"""Programs that some tests need, and that no wheel brings: with CI a test that misses one fails, else it is skipped."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from pydantic_settings import BaseSettings, SettingsConfigDict

if TYPE_CHECKING:
    from pathlib import Path


class CiSettings(BaseSettings):
    """With `ci` nothing is skipped."""

    model_config = SettingsConfigDict(env_ignore_empty=True)

    ci: str | None = None


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
