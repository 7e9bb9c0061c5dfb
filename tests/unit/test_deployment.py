"""The files for hosting platforms: their settings, commands, ports and versions match ours, and they wait at a stop."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import queue_lib
import web
from queue_lib.settings import WorkerSettings
from scripts import environment_table

PROJECT = Path(__file__).parents[2]
SETTINGS = set(re.findall(r"^\| `([A-Z0-9_]+)` \|", environment_table.table(), re.MULTILINE))
OF_AWS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"}  # read by boto3
ASKED_FOR = {"STORAGE_URL", "VAPID_PUBLIC_KEY", "VAPID_PRIVATE_KEY", "VAPID_SUBJECT", "API_TOKENS"}
COMMANDS = {"worker": "python worker.py", "web": "python web.py"}

COMPOSE = yaml.safe_load((PROJECT / "compose.yaml").read_text())
OURS = {name: each for name, each in COMPOSE["services"].items() if each["image"].startswith("pushmill:")}
HEROKU = json.loads((PROJECT / "app.json").read_text())
RENDER = yaml.safe_load((PROJECT / "render.yaml").read_text())
ON_RENDER = {each["type"]: each for each in RENDER["services"]}
FLY = tomllib.loads((PROJECT / "fly.toml").read_text())
UNIT = (PROJECT / "deploy" / "pushmill-worker.service").read_text()
DOCKERFILE = (PROJECT / "Dockerfile").read_text()
PROCFILE: dict[str, str] = yaml.safe_load((PROJECT / "Procfile").read_text())
VERSION: str = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]


def seconds(text: str) -> int:
    """The number of `30s`."""
    return int(text.removesuffix("s"))


def copied() -> list[str]:
    """The files that the Dockerfile copies from the project, without requirements files."""
    lines = re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE)
    return [name for line in lines for name in line.split() if not name.startswith("requirements")]


def of_render(service: dict[str, Any]) -> set[str]:
    """The variables of a service."""
    return {variable["key"] for variable in service["envVars"]}


VARIABLES = {
    "compose.yaml": {name for each in OURS.values() for name in each["environment"]},
    "app.json": set(HEROKU["env"]),
    "render.yaml": of_render(ON_RENDER["worker"]) | of_render(ON_RENDER["web"]),
    "fly.toml": set(FLY["env"]),
    "Dockerfile": set(re.findall(r"\$([A-Z_]+_PORT)", DOCKERFILE)),
}
STOPS = {
    **{f"compose.yaml: {name}": seconds(each["stop_grace_period"]) for name, each in OURS.items()},
    **{f"render.yaml: {name}": ON_RENDER[name]["maxShutdownDelaySeconds"] for name in COMMANDS},
    "fly.toml": FLY["kill_timeout"],
    "systemd": int(re.findall(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)[0]),
}


@pytest.mark.parametrize("file", VARIABLES)
def test_variables_are_settings(file: str) -> None:
    """Each name is in README's table, or is one that boto3 reads."""
    assert VARIABLES[file]
    assert set() == VARIABLES[file] - SETTINGS - OF_AWS


@pytest.mark.parametrize("file", ["app.json", "render.yaml"])
def test_required_settings_are_asked_for(file: str) -> None:
    """A new app asks for each setting that no add-on provides."""
    assert set() == ASKED_FOR - VARIABLES[file]


def test_each_platform_runs_worker_and_web() -> None:
    """By the commands of the Procfile."""
    unit_command = re.findall(r"^ExecStart=\S+/(python \S+)$", UNIT, re.MULTILINE)

    assert COMMANDS == PROCFILE == FLY["processes"]
    assert COMMANDS == {name: " ".join(each["command"]) for name, each in OURS.items()}
    assert COMMANDS == {name: ON_RENDER[name]["dockerCommand"] for name in COMMANDS}
    assert set(COMMANDS) == set(HEROKU["formation"])
    assert [COMMANDS["worker"]] == unit_command == [" ".join(json.loads(DOCKERFILE.rpartition("CMD ")[2]))]
    assert all((PROJECT / command.split()[1]).is_file() for command in COMMANDS.values())


@pytest.mark.parametrize("place", STOPS)
def test_a_platform_waits_until_the_process_has_stopped(place: str) -> None:
    """Longer than the worker and the web process take."""
    assert STOPS[place] > max(WorkerSettings.model_fields["shutdown_grace"].default, web.SHUTDOWN_GRACE)


def test_the_image_has_all_that_it_runs() -> None:
    """Each module that a copied file imports is copied, and .dockerignore lets it pass."""
    names = copied()
    files = [path for name in names for path in [PROJECT / name, *(PROJECT / name).rglob("*.py")] if path.is_file()]
    tops = {top for path in files for top in re.findall(r"^ *(?:from|import) (\w+)", path.read_text(), re.MULTILINE)}
    own = {path.parent.name for path in PROJECT.glob("*/__init__.py")} | {path.stem for path in PROJECT.glob("*.py")}
    passes = re.findall(r"^!(\S+)$", (PROJECT / ".dockerignore").read_text(), re.MULTILINE)

    assert {"queue_lib", "processors", "storage"} <= tops & own
    assert set() == (tops & own) - {Path(name).stem for name in names}
    assert sorted([*names, "requirements*.txt"]) == sorted(passes)


def test_requirements_of_the_image_exist() -> None:
    """The build argument's default, and each file that the comment names."""
    files = set(re.findall(r"requirements[\w-]*\.txt", DOCKERFILE))

    assert {"requirements.txt", "requirements-push.txt"} <= files
    assert [] == [file for file in files if not (PROJECT / file).is_file()]


def test_mounts_of_compose_exist() -> None:
    """A file of the project, the team's own folder, and declared volumes."""
    mounts = [mount.split(":")[0] for each in COMPOSE["services"].values() for mount in each.get("volumes", [])]

    assert (PROJECT / "deploy" / "trial.sql").is_file()
    assert {"./deploy/trial.sql", "./jobs"} == {mount for mount in mounts if mount.startswith("./")}
    assert set(COMPOSE["volumes"]) == {mount for mount in mounts if not mount.startswith("./")}


def test_redis_keeps_jobs() -> None:
    """Where a file creates the Redis, it never evicts, and writes to disk."""
    command = " ".join(COMPOSE["services"]["valkey"]["command"])

    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command
    assert ("noeviction", "starter") == tuple(ON_RENDER["keyvalue"][key] for key in ("maxmemoryPolicy", "plan"))
    assert "heroku-redis:mini" not in str(HEROKU["addons"])  # which writes nothing to disk


def test_ports_agree() -> None:
    """Each platform's port is the one on which the process listens."""
    [metrics], check = FLY["metrics"], FLY["checks"]["worker"]

    assert [FLY["env"]["METRICS_PORT"]] * 2 == [str(metrics["port"]), str(check["port"])]
    assert FLY["env"]["PORT"] == str(FLY["http_service"]["internal_port"])
    assert [f"127.0.0.1:{OURS['web']['environment']['PORT']}:8080"] == OURS["web"]["ports"]
    assert f":{OURS['web']['environment']['PORT']}/" in OURS["web"]["healthcheck"]["test"][-1]


def test_one_version() -> None:
    """Package, processes, image and docs have the same version, and so has the newest release."""
    page = (PROJECT / "docs" / "deploy.md").read_text()
    released = re.findall(r"^## \[(\d[^\]]*)\]", (PROJECT / "CHANGELOG.md").read_text(), re.MULTILINE)
    tags = re.findall(r"pushmill:(\d[\w.]*\w)", page) + [each["image"].partition(":")[2] for each in OURS.values()]
    tags += re.findall(r"#v(\d[\w.]*\w)", page) + re.findall(r'image\.version="([^"]+)"', DOCKERFILE)

    assert len(tags) > 4
    assert {VERSION} == {queue_lib.VERSION, *tags, *released[:1]}
