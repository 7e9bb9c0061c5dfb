"""The VAPID key pair that the script prints."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from processors.push.settings import PushSettings
from scripts.generate_vapid_keys import main, make_pair

if TYPE_CHECKING:
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


def test_the_script_prints_lines_for_an_env_file(capsys: pytest.CaptureFixture[str]) -> None:
    """Both keys are printed as NAME=value, ready for `.env` and `heroku config:set`."""
    main()

    lines = capsys.readouterr().out
    assert re.fullmatch(r"VAPID_PUBLIC_KEY=[\w-]{87}\nVAPID_PRIVATE_KEY=[\w-]{43}\n", lines)
