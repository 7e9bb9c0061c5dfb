"""A profile of Firefox whose web push comes from a push service on this machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    Preference = bool | int | str

PREFERENCES: dict[str, Preference] = {
    "dom.push.testing.allowInsecureServerURL": True,  # ws: instead of wss:
    "dom.push.retryBaseInterval": 1_000,  # milliseconds until it looks for a service that is away
    "browser.aboutwelcome.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
}


def firefox_profile(
    folder: Path, push_url: str, more: Mapping[str, Preference] | None = None, program: str = "firefox"
) -> list[str]:
    """Write the profile into `folder`; returns the command that starts Firefox with it, to which an address is added.

    `push_url`: the `url` of a MozillaPush. `more`: further preferences.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = PREFERENCES | {"dom.push.serverURL": push_url} | dict(more or {})
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in wanted.items()]
    (folder / "user.js").write_text("".join(lines))
    return [program, "--no-remote", "--profile", str(folder)]
