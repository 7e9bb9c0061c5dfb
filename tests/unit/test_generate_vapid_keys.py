"""The VAPID key pair that the script prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from dotenv import dotenv_values
from typer.testing import CliRunner

from processors.push.settings import PushSettings
from scripts.generate_vapid_keys import app, make_pair

if TYPE_CHECKING:
    from pathlib import Path

RUNNER = CliRunner()


def test_the_pair_is_one_that_the_settings_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker's settings accept a new pair, and find that its halves belong together."""
    private, public = make_pair()
    monkeypatch.setenv("VAPID_PRIVATE_KEY", private)
    monkeypatch.setenv("VAPID_PUBLIC_KEY", public)
    monkeypatch.setenv("VAPID_SUBJECT", "mailto:ops@pushmill.dev")

    assert public == PushSettings().vapid_public_key


def test_the_lengths_are_those_of_web_push() -> None:
    """The private key has 43 characters and the public one 87, for any bytes."""
    assert {(43, 87)} == {(len(private), len(public)) for private, public in (make_pair() for _ in range(200))}


def test_no_two_pairs_are_alike() -> None:
    """Each run makes a pair of its own."""
    assert make_pair() != make_pair()


def test_the_script_prints_lines_for_an_env_file(tmp_path: Path) -> None:
    """The lines have all that worker and page need; remaining steps are not among them."""
    told = RUNNER.invoke(app, [])

    env = tmp_path / ".env"
    env.write_text(told.stdout)
    names = ["VAPID_PUBLIC_KEY", "NEXT_PUBLIC_VAPID_PUBLIC_KEY", "VAPID_PRIVATE_KEY", "VAPID_SUBJECT"]
    assert 0 == told.exit_code
    assert names == list(dotenv_values(env))
    settings = PushSettings(_env_file=env)
    assert dotenv_values(env)["NEXT_PUBLIC_VAPID_PUBLIC_KEY"] == settings.vapid_public_key
    assert "VAPID_SUBJECT" in told.stderr


def test_the_subject_is_taken_from_the_command_line() -> None:
    """With a subject no step remains."""
    told = RUNNER.invoke(app, ["https://example.com/contact"])

    assert 0 == told.exit_code
    assert told.stdout.endswith("\nVAPID_SUBJECT=https://example.com/contact\n")
    assert not told.stderr


def test_a_subject_that_apple_refuses_makes_no_pair() -> None:
    """The fault shows now, not at the first iPhone."""
    told = RUNNER.invoke(app, ["ops@localhost"])

    assert (2, "") == (told.exit_code, told.stdout)
    assert "Apple's push service refuses it" in told.stderr


@pytest.mark.parametrize("words", [["--help"], ["--subject", "mailto:a@b.c"], ["mailto:a@b.c", "d"]])
def test_help_and_typing_errors_make_no_pair(words: list[str]) -> None:
    """The script prints its arguments instead."""
    told = RUNNER.invoke(app, words)

    assert "PRIVATE" not in told.stdout
    assert (0 if words == ["--help"] else 2) == told.exit_code
