"""The requirements of pyproject.toml, and the packages of the compiled requirements files."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parents[2]
_TABLE = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = _TABLE["optional-dependencies"]
PYTHONS = ("3.11.0", "3.11.15", "3.12.9", "3.13.9", "3.14.3")  # that the files hold for, and that CI runs
# Which extras each file installs, beside what every process needs.
FILES = {
    "requirements.txt": ("push", "media", "email", "database", "api", "ffmpeg"),
    "requirements-push.txt": ("push", "database"),
    "requirements-media.txt": ("media", "database"),
    "requirements-email.txt": ("email", "database"),
    "requirements-api.txt": ("api",),
    "requirements-local.txt": ("local",),
    "requirements-dev.txt": tuple(EXTRAS),
}


def direct(*extras: str) -> list[Requirement]:
    """The requirements of the project itself and of these extras."""
    lines = [*_TABLE["dependencies"], *(line for extra in extras for line in EXTRAS[extra])]
    return [Requirement(line) for line in lines]


def named(*extras: str) -> set[str]:
    """Their packages, by canonical name."""
    return {canonicalize_name(requirement.name) for requirement in direct(*extras)}


def installed(file: str) -> dict[str, tuple[str, frozenset[str]]]:
    """What a requirements file installs: the version and the hashes of each package."""
    text = (PROJECT / file).read_text().replace("\\\n", " ")
    found = re.findall(r"^([\w.-]+)==(\S+)((?: +--hash=sha256:[0-9a-f]{64})*) *$", text, re.MULTILINE)
    pins: dict[str, tuple[str, frozenset[str]]] = {
        canonicalize_name(name): (version, frozenset(hashes.split())) for name, version, hashes in found
    }
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    assert len(pins) == len(lines), "a line that is no pin"
    return pins
