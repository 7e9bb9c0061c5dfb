"""Every alert rule fires and resolves in Prometheus's own evaluation; `make alerts` does it with running processes."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.support.alert_cases import CASES, Case
from tests.support.programs import CiSettings, find_program

if TYPE_CHECKING:
    from collections.abc import Sequence

ALERTS = Path(__file__).parents[2] / "docs" / "operations" / "alerts.yml"
RULES = {rule["alert"]: rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]}
MISSING = "there is no promtool: install Prometheus (Debian: prometheus)"


@pytest.fixture
def promtool() -> str:
    """The path of the program."""
    return find_program(CiSettings(), MISSING, "promtool")


def run(*command: str) -> str:
    """The output of a program that must end with status 0."""
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert 0 == ended.returncode, ended.stdout + ended.stderr
    return ended.stdout


def plain(case: Case) -> dict[str, Any]:
    """A case in promtool's form."""
    rule = RULES[case.alert]
    fired = {
        "exp_labels": {**rule["labels"], **case.labels},
        "exp_annotations": {"summary": case.summary, "runbook_url": rule["annotations"]["runbook_url"]},
    }
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
        "alert_rule_test": [
            {"eval_time": "0m", "alertname": case.alert, "exp_alerts": []},
            {"eval_time": f"{case.fires}m", "alertname": case.alert, "exp_alerts": [fired]},
            {"eval_time": f"{case.resolves}m", "alertname": case.alert, "exp_alerts": []},
        ],
    }


def written(cases: Sequence[Case], folder: Path) -> str:
    """The path of a file with the cases."""
    path = folder / "alerts_test.yml"
    document = {
        "rule_files": [str(ALERTS)],
        "evaluation_interval": "1m",
        "tests": list(map(plain, cases)),
    }
    path.write_text(yaml.safe_dump(document))
    return str(path)


def test_prometheus_reads_the_rules(promtool: str) -> None:
    """The file as it is."""
    assert f"{len(RULES)} rules found" in run(promtool, "check", "rules", str(ALERTS))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.alert}-{case.labels}")
def test_a_rule_fires_and_resolves(case: Case, promtool: str, tmp_path: Path) -> None:
    """On series of the form that its metrics have; its summary is true of them."""
    assert "SUCCESS" in run(promtool, "test", "rules", written([case], tmp_path))
