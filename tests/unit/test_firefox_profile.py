"""The profile with which Firefox uses the local push service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embedded.firefox import firefox_profile

if TYPE_CHECKING:
    from pathlib import Path


def test_a_profile_names_the_push_service(tmp_path: Path) -> None:
    """Its preferences allow a service without TLS; more of them may be given."""
    folder = tmp_path / "new" / "profile"

    command = firefox_profile(folder, "ws://127.0.0.1:9/", {"browser.startup.page": 0})

    assert ["firefox", "--no-remote", "--profile", str(folder)] == command
    lines = (folder / "user.js").read_text().splitlines()
    assert {
        'user_pref("dom.push.serverURL", "ws://127.0.0.1:9/");',
        'user_pref("dom.push.testing.allowInsecureServerURL", true);',
        'user_pref("browser.startup.page", 0);',
    } <= set(lines)
