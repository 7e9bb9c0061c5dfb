"""The VAPID key pair that the script prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dotenv import dotenv_values

from processors.push.settings import PushSettings
from scripts.generate_vapid_keys import main, make_pair

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_pair_is_one_that_the_settings_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker's settings accept a new pair, and find that its halves belong together."""
    private, public = make_pair()
    monkeypatch.setenv("VAPID_PRIVATE_KEY", private)
    monkeypatch.setenv("VAPID_PUBLIC_KEY", public)
    monkeypatch.setenv("VAPID_SUBJECT", "mailto:ops@pushmill.dev")

    assert public == PushSettings().vapid_public_key


def test_the_lengths_are_those_of_web_push() -> None:
    """The private key has 43 characters and the public one 87, whatever bytes are drawn."""
    assert {(43, 87)} == {(len(private), len(public)) for private, public in (make_pair() for _ in range(200))}


def test_no_two_pairs_are_alike() -> None:
    """Each run makes a pair of its own."""
    assert make_pair() != make_pair()


def test_the_script_prints_lines_for_an_env_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A file of the lines has all that the worker and the page need; what is left to do is not in it."""
    assert main([]) == 0

    told = capsys.readouterr()
    env = tmp_path / ".env"
    env.write_text(told.out)
    names = ["VAPID_PUBLIC_KEY", "NEXT_PUBLIC_VAPID_PUBLIC_KEY", "VAPID_PRIVATE_KEY", "VAPID_SUBJECT"]
    assert names == list(dotenv_values(env))
    settings = PushSettings(_env_file=env)
    assert dotenv_values(env)["NEXT_PUBLIC_VAPID_PUBLIC_KEY"] == settings.vapid_public_key
    assert "VAPID_SUBJECT" in told.err


def test_the_subject_is_taken_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    """With a subject there is nothing left to do."""
    assert main(["https://example.com/contact"]) == 0

    told = capsys.readouterr()
    assert told.out.endswith("\nVAPID_SUBJECT=https://example.com/contact\n")
    assert not told.err


def test_a_subject_that_apple_refuses_makes_no_pair(capsys: pytest.CaptureFixture[str]) -> None:
    """The fault is said now, not at the first iPhone."""
    assert main(["ops@localhost"]) == 2

    told = capsys.readouterr()
    assert not told.out
    assert "Apple's push service refuses it" in told.err
