"""The README agrees with the settings."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic_settings import BaseSettings

from processors.features import FEATURES
from processors.sandbox.settings import PlatformSettings
from scripts import environment_table

PROJECT = Path(__file__).parents[2]


def test_the_environment_table_is_that_of_the_settings() -> None:
    """README.md holds the generated table; `python -m scripts.environment_table --write` puts it there."""
    text = environment_table.README.read_text()

    assert environment_table.replaced(text) == text


def test_every_variable_has_a_meaning() -> None:
    """No row of the table is without a description or a default."""
    rows = [line.split(" | ") for line in environment_table.table().splitlines() if line.startswith("| `")]

    assert len(rows) > 50
    assert all(len(row) == 3 and all(cell.strip("| ") for cell in row) for row in rows)


def test_every_settings_class_is_in_the_table() -> None:
    """Except the platform's own variables, which alone have no description."""
    read = {model for feature in FEATURES for model in (*feature.settings, *feature.shared_settings)}
    listed = {model for _, models in environment_table.sections() for model in models}

    assert {PlatformSettings} == read - listed
    assert all(field.description for model in listed for field in model.model_fields.values())


def test_a_required_variable_is_called_so() -> None:
    """A field without a default is required; defaults are shown as one would set them."""

    class Example(BaseSettings):
        needed: str
        flag: bool = False
        seconds: float = 2.0
        names: tuple[str, ...] = ("a", "b")
        nothing: str | None = None

    lines = "".join(environment_table.lines(Example))

    assert ["required", "`0`", "`2`", "`a,b`", "none"] == re.findall(r"\| ([^|]+) \|  \|", lines)


def test_every_event_word_is_explained() -> None:
    """Each word that can begin a log line has a row in docs/operations/README.md."""
    words = {
        word
        for folder in ("queue_lib", "processors", "storage")
        for path in (PROJECT / folder).rglob("*.py")
        for word in re.findall(
            r'(?:(?:log|get_logger\(\))\.(?:debug|info|warning|error)\(|logging\.[A-Z]+, )\s*"(\w+)"', path.read_text()
        )
    }
    page = (PROJECT / "docs" / "operations" / "README.md").read_text()

    assert {"job_done", "broker_lost", "started", "push_gone"} <= words
    assert [] == sorted(word for word in words if f"`{word}`" not in page)
