"""The packages: every import is declared, and what is declared can be installed anywhere, as tested."""

from __future__ import annotations

import ast
import os
import re
import sys
from fnmatch import fnmatch
from functools import cache
from importlib import metadata
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.requirements import EXTRAS, FILES, PROJECT, PYTHONS, direct, installed, named

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

OUR_OWN = {"benchmarks", "demo", "embedded", "processors", "queue_lib", "scripts", "storage", "tests", "worker", "web"}
# What a file may import beside what every process has: the extras of the longest beginning of its path.
MAY_IMPORT = {
    "worker.py": (),
    "web.py": ("api",),
    "queue_lib/": (),
    "queue_lib/web/": ("api",),
    "queue_lib/observe/sentry.py": ("sentry",),
    "processors/": (),
    "processors/outbound_session.py": ("push",),  # it is imported by features that call others, at the first request
    "processors/maintenance/sources.py": ("push",),  # as the one above, which it calls
    "processors/push/": ("push",),
    "processors/email/": ("email", "dkim"),
    "processors/media/": ("media",),
    "processors/search/api.py": ("api",),
    "storage/": ("database",),
    "storage/objects/": ("media",),
    "scripts/": (),
    "scripts/generate_vapid_keys.py": ("push",),
    "scripts/preview_email.py": ("email",),
    "embedded/": tuple(EXTRAS),
    "demo/": tuple(EXTRAS),
    "benchmarks/": tuple(EXTRAS),
    "tests/": tuple(EXTRAS),
}
SYSTEMS = {"linux": ("Linux", "x86_64", "aarch64"), "darwin": ("Darwin", "x86_64", "arm64")}
STATEMENTS = (ast.stmt, ast.ExceptHandler, ast.match_case)  # where an import may be
HERE = {name: str(value) for name, value in default_environment().items()}


def sources() -> list[Path]:
    """All Python files of the project."""
    return files(".py")


def files(end: str) -> list[Path]:
    """All files of the project whose names end so."""
    paths: list[Path] = []
    for folder, folders, names in os.walk(PROJECT):
        folders[:] = [name for name in folders if name != "node_modules" and not name.startswith(".")]
        paths += [Path(folder, name) for name in names if name.endswith(end)]
    return sorted(paths)


def imports(path: Path) -> Iterator[str]:
    """The modules that it imports when it runs, at its top or later: not those for type checkers alone."""
    left: list[ast.AST] = [ast.parse(path.read_text())]
    while left:
        node = left.pop()
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                left.extend(node.orelse)
                continue
            case ast.Import():
                yield from (alias.name for alias in node.names)
            case ast.ImportFrom(module=str(module)):
                yield module
        left += [child for child in ast.iter_child_nodes(node) if isinstance(child, STATEMENTS)]


@cache
def distributions() -> dict[str, set[str]]:
    """The packages that bring a module, by its first name."""
    return {
        module: {canonicalize_name(name) for name in names}
        for module, names in metadata.packages_distributions().items()
    }


def foreign(path: Path) -> set[str]:
    """The first names of its modules that come from packages."""
    tops = {module.split(".")[0] for module in imports(path)}
    return tops - OUR_OWN - sys.stdlib_module_names


@pytest.mark.slow
def test_every_import_is_declared() -> None:
    """Each import of a package has its own line in pyproject.toml, in an extra that the file's folder may use.

    A package that comes with another one today may be missing tomorrow, or in an install without the other.
    """
    missing = []
    for path in sources():
        place = str(path.relative_to(PROJECT))
        area = max((area for area in MAY_IMPORT if place.startswith(area)), key=len)
        asked = named(*MAY_IMPORT[area])
        missing += [f"{place}: {module}" for module in foreign(path) if not distributions().get(module, set()) & asked]

    assert [] == missing


@pytest.mark.parametrize("file", FILES)
def test_a_requirements_file_has_all_declared_packages(file: str) -> None:
    """Each line of pyproject.toml is in the compiled file with that version: it was compiled since."""
    asked = {canonicalize_name(requirement.name): requirement.specifier for requirement in direct(*FILES[file])}
    pins = installed(file)

    assert [] == [name for name, wanted in asked.items() if name not in pins or not wanted.contains(pins[name][0])]


@pytest.mark.slow
@pytest.mark.parametrize("file", FILES)
def test_a_requirements_file_holds_on_every_system(file: str) -> None:
    """Packages needed on another system or Python are in the file: pip takes no package without a hash."""
    pins = installed(file)
    missing = set()
    for version, (platform, (system, *machines)) in product(PYTHONS, SYSTEMS.items()):
        for machine in machines:
            environment = {
                "implementation_name": "cpython",
                "os_name": "posix",
                "platform_machine": machine,
                "platform_python_implementation": "CPython",
                "platform_system": system,
                "python_full_version": version,
                "python_version": ".".join(version.split(".")[:2]),
                "sys_platform": platform,
            }
            missing |= {f"{name} on {platform} with {version}" for name in needed(FILES[file], environment) - set(pins)}

    assert set() == missing


@cache
def asks_for(package: str) -> list[Requirement]:
    """The requirements of an installed package."""
    return [Requirement(line) for line in metadata.requires(package) or ()]


def needed(extras: Iterable[str], environment: dict[str, str]) -> set[str]:
    """The packages that pip would install from the lines of pyproject.toml on such a machine."""
    found: set[tuple[str, str]] = set()
    left = direct(*extras)
    while left:
        requirement = left.pop()
        for extra in ("", *requirement.extras):
            name = canonicalize_name(requirement.name)
            if (name, extra) in found:
                continue
            found.add((name, extra))
            for inner in asks_for(name):
                if inner.marker is None or inner.marker.evaluate({**environment, "extra": extra}):
                    left.append(inner)
    return {name for name, _ in found}


@pytest.mark.parametrize("file", FILES)
def test_a_requirements_file_installs_what_was_tested(file: str) -> None:
    """Versions and hashes are those of requirements-dev.txt, with which the tests run."""
    tested = installed("requirements-dev.txt")

    assert {} == {name: pin for name, pin in installed(file).items() if pin != tested.get(name) or not pin[1]}


def test_each_package_has_its_place_in_third_party() -> None:
    """Each package that is installed for use is named in THIRD_PARTY.md once, below its declared licence."""
    table = (PROJECT / "THIRD_PARTY.md").read_text().split("## Licences of the packages")[1]
    rows = re.findall(r"^\| ([^|]+) \| (`[^|]+`) \|$", table, re.MULTILINE)
    places = [(name, licence) for licence, names in rows for name in re.findall(r"`([^`]+)`", names)]
    used = needed(("push", "media", "database", "api", "ffmpeg", "sentry"), HERE)
    declared = {name: metadata.metadata(name).json.get("license_expression") for name in used}
    wrong = [(name, licence) for name, licence in places if declared.get(name) not in {None, licence}]

    assert sorted(used) == sorted(name for name, _ in places)
    assert [] == wrong


@pytest.mark.parametrize("file", FILES)
def test_a_requirements_file_names_no_server(file: str) -> None:
    """The installing machine chooses where packages come from."""
    text = (PROJECT / file).read_text()

    assert [] == re.findall(r"^.*(?:://|--(?:index|extra|find|trusted)).*$", text, re.MULTILINE)
    assert "/" not in re.sub(r"^#.*$|\(pyproject.toml\)", "", text, flags=re.MULTILINE)


def test_ci_knows_all_folders_of_nodes_packages() -> None:
    """Dependabot updates them, and the cache of CI depends on those that `make test` installs."""
    folders = {str(path.parent.relative_to(PROJECT)) for path in files("package-lock.json")}
    updates = yaml.safe_load((PROJECT / ".github" / "dependabot.yml").read_text())["updates"]
    watched = {each for one in updates if one["package-ecosystem"] == "npm" for each in one["directories"]}
    workflow = yaml.safe_load((PROJECT / ".github" / "workflows" / "ci.yml").read_text())
    node = next(step["with"] for step in workflow["jobs"]["test"]["steps"] if "setup-node" in step.get("uses", ""))
    patterns = node["cache-dependency-path"].split()

    assert {f"/{folder}" for folder in folders} <= watched
    assert [] == [
        folder
        for folder in folders
        if not folder.startswith("benchmarks/")
        and not any(fnmatch(f"{folder}/package-lock.json", pattern) for pattern in patterns)
    ]
