"""Media's part of the environment."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from processors.media.settings import MediaSettings
from processors.sandbox.limits import MEBIBYTE
from processors.sandbox.settings import PlatformSettings, SandboxSettings


def test_the_child_sees_where_programs_are_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the paths of the environment go to a child."""
    monkeypatch.setenv("PATH", "/bin")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/lib")
    monkeypatch.setenv("PYTHONHOME", "")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    assert PlatformSettings().child_env() == {"PATH": "/bin", "LD_LIBRARY_PATH": "/lib"}


def test_avatar_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of numbers, as a person writes it."""
    monkeypatch.setenv("AVATAR_SIZES", "48, 96")

    assert (48, 96) == MediaSettings().avatar_sizes


@pytest.mark.parametrize("sizes", ["big", "0", "32,", "32,4096", "-5"])
def test_malformed_avatar_sizes(monkeypatch: pytest.MonkeyPatch, sizes: str) -> None:
    """The process does not start, and shows the right form."""
    monkeypatch.setenv("AVATAR_SIZES", sizes)

    with pytest.raises(ValidationError, match="it looks like 32,64,128"):
        MediaSettings()


def test_a_video_leaves_room_for_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """One video may use all memory except that of an image."""
    monkeypatch.setenv("MEDIA_MEMORY", "200")
    memory = SandboxSettings().memory()

    assert (200 * MEBIBYTE, 140 * MEBIBYTE) == (memory, MediaSettings().video_limits(memory).memory)
