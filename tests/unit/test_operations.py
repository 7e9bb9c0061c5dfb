"""The alert rules, the dashboard and the runbook name only metrics, headings and scripts that exist."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import pytest
import yaml
from prometheus_client import CollectorRegistry

from processors.features import FEATURES
from processors.outbox.metrics import BridgeMetrics, OutboxMetrics
from queue_lib.admin.queues import QueueStats
from queue_lib.feature import jobs_of
from queue_lib.job import State, Wire
from queue_lib.observe.events import API_FAULTS, WORKER_FAULTS
from queue_lib.observe.metrics import Metrics
from queue_lib.observe.process_metrics import ProcessMetrics
from queue_lib.observe.worker_stats import WorkerView
from queue_lib.runner.consumer import LoopState
from queue_lib.runner.health import Health
from queue_lib.web.api.metrics import Scraped
from storage.ports import Backlog
from tests.support.alert_cases import CASES, Case
from tests.support.promql import MATCHER, Selector, grouped_by, selectors
from tests.support.queues import QUEUES

if TYPE_CHECKING:
    from prometheus_client.samples import Sample

    from queue_lib.admin.admin import Admin

PROJECT = Path(__file__).parents[2]
OPERATIONS = PROJECT / "docs" / "operations"
RUNBOOK = (OPERATIONS / "README.md").read_text()
RULES = [rule for group in yaml.safe_load((OPERATIONS / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
DASHBOARD = json.loads((OPERATIONS / "grafana.json").read_text())
TARGETS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
OF_PROMETHEUS = {"instance", "le"}  # labels that a scrape, or a histogram, adds
PUSHES = "push-notifications"


class Looked:
    """Stands for the admin and its parts: each state once, on each wire."""

    def __init__(self) -> None:
        self.queues = self.workers = self.dead_letters = self

    async def check(self) -> None:
        """The queue takes jobs."""

    async def stats(self) -> list[QueueStats]:
        """The queues."""
        counts = {wire: dict.fromkeys(State, 1) for wire in Wire}
        return [QueueStats(queue=queue.name, paused=False, counts=counts, oldest=1.0) for queue in QUEUES]

    async def alive(self) -> list[WorkerView]:
        """One worker, for the pushes."""
        return [WorkerView(name="w", host="h", pid=1, started_at=1.0, queues=(PUSHES,), wires=tuple(Wire))]

    async def faults(self, minutes: int) -> dict[str, int]:
        """None."""
        return dict.fromkeys(WORKER_FAULTS, 0)

    async def count(self) -> int:
        """The number of dead letters."""
        return 1


async def nothing_wrong() -> None:
    """A server that answers."""


async def worker() -> CollectorRegistry:
    """The registry of a worker to which nothing has happened yet."""
    registry = CollectorRegistry()
    ProcessMetrics(registry, tree=lambda: 1)
    states = [LoopState(queue.name, wire, 1, None) for queue in QUEUES for wire in Wire]
    needs = {queue.name: queue.needs for queue in QUEUES}
    servers = {"redis", *(server for queue in QUEUES for server in queue.needs)}
    health = Health(lambda: states, dict.fromkeys(servers, nothing_wrong), needs)
    await health.report()
    registry.register(health)
    names = {queue.name: [job.name for job in jobs_of(FEATURES) if job.queue == queue.name] for queue in QUEUES}
    outbox = OutboxMetrics()
    outbox.saw(Backlog(0, 0, None, (), ()))
    for collector in (outbox, BridgeMetrics()):
        registry.register(collector)
    Metrics(registry, names, [counter for feature in FEATURES for counter in feature.counters])
    return registry


async def api() -> CollectorRegistry:
    """The registry of a web process that was scraped."""
    scraped = Scraped()
    await scraped.text(cast("Admin", Looked()))
    return scraped.registry


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    """All that both processes expose."""
    return asyncio.run(exposed())


async def exposed() -> list[Sample]:
    """All samples of a worker and of a web process."""
    return [
        sample
        for registry in (await worker(), await api())
        for family in registry.collect()
        for sample in family.samples
    ]


def plain(expression: str) -> str:
    """An expression of the dashboard with values for Grafana's variables."""
    return expression.replace("$__rate_interval", "5m").replace("$queue", ".+")


@pytest.mark.parametrize("expression", [*(rule["expr"] for rule in RULES), *map(plain, TARGETS)])
def test_every_selector_finds_a_series(expression: str, samples: list[Sample]) -> None:
    """It exists from the start, with the labels and values of the expression; so do the labels of groups."""
    wanted = selectors(expression)
    assert wanted
    labels = set(OF_PROMETHEUS)
    for selector in wanted:
        found = [sample for sample in samples if selector.admits(sample.name, sample.labels)]
        assert found, (selector, sorted({sample.name for sample in samples}))
        labels |= found[0].labels.keys()
    assert grouped_by(expression) <= labels


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("sum(a) < 1 or absent(b)", [Selector("a", ()), Selector("b", ())]),
        ('rate(a_total{x=~"p|q", y!="z"}[5m]) > 1e3', [Selector("a_total", (("x", "=~", "p|q"), ("y", "!=", "z")))]),
        ("sum by (queue, le) (a) unless on (queue) b == 0.5", [Selector("a", ()), Selector("b", ())]),
        ("a offset 15m / 0.9 * 512", [Selector("a", ())]),
    ],
)
def test_the_selectors_of_an_expression(expression: str, expected: list[Selector]) -> None:
    """Names with their matchers; functions, keywords, numbers, ranges and groupings are none."""
    assert expected == selectors(expression)


def test_a_selector_that_finds_nothing_is_noticed(samples: list[Sample]) -> None:
    """An unknown name, label or value would make an alert that never fires."""
    for wrong in ("pushmill_job_total", 'pushmill_jobs_total{state="done"}', 'pushmill_jobs_total{outcome="failed"}'):
        [selector] = selectors(wrong)
        assert not any(selector.admits(sample.name, sample.labels) for sample in samples)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_has_a_page_of_the_runbook(rule: dict[str, Any]) -> None:
    """Its link leads to a heading that exists, and its summary names labels that the expression has."""
    url = urlsplit(rule["annotations"]["runbook_url"])
    page, anchor = url.path.partition("/blob/main/")[2], url.fragment
    labels = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))

    assert "https" == url.scheme
    assert (PROJECT / page).is_file()
    assert anchor in anchors(RUNBOOK)
    assert labels <= grouped_by(rule["expr"]) | {"instance"}
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert (
        {"alert", "expr", "labels", "annotations"} <= rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
    )


def anchors(page: str) -> set[str]:
    """The headings of a page as links name them."""
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_every_alert_is_tried() -> None:
    """Each has a case in which it fires and resolves, made of existing series."""
    assert {rule["alert"] for rule in RULES} == {case.alert for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.alert)
def test_alerts_are_tried_with_existing_series(case: Case, samples: list[Sample]) -> None:
    """Names, labels and values; a scrape adds the instance, which may be anything."""
    for text in case.series:
        name, _, labels = text.partition("{")
        selector = Selector(name, tuple(each for each in MATCHER.findall(labels) if each[0] != "instance"))
        assert any(selector.admits(sample.name, sample.labels) for sample in samples), text


def test_every_fault_has_a_series_from_the_start() -> None:
    """Each reported fault is one of the words that the metrics know beforehand."""
    code = "".join(path.read_text() for path in (PROJECT / "queue_lib").rglob("*.py"))

    assert {*WORKER_FAULTS, *API_FAULTS} == set(re.findall(r'\bInternalFault\("(\w+)"', code))


def test_alerts_and_panels_have_unique_names() -> None:
    """No two alerts share a name, and no two panels a number or a place."""
    names = [rule["alert"] for rule in RULES]
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]]

    assert (len(names), len(ids), len(ids)) == (len(set(names)), len(set(ids)), len(set(places)))


def test_the_runbook_has_all_metrics(samples: list[Sample]) -> None:
    """Each of ours has a row in the table, and no row is for an unknown one."""
    rows = set(re.findall(r"^\| `(pushmill_\w+)` \|", RUNBOOK, re.MULTILINE))

    assert rows == {metric(sample.name) for sample in samples if sample.name.startswith("pushmill_")}


def metric(sample: str) -> str:
    """The metric of a sample."""
    return re.sub(r"_(bucket|sum|count)$", "", sample) if "seconds_" in sample else sample


def test_the_runbook_names_scripts_and_options_that_exist() -> None:
    """A command that is read at night has to work as it stands."""
    commands = re.findall(r"python -m scripts\.(\w+)([^\n`]*)", RUNBOOK)
    terminal = (PROJECT / "scripts" / "terminal.py").read_text()

    assert len(commands) > 10
    for script, rest in commands:
        text = (PROJECT / "scripts" / f"{script}.py").read_text() + terminal
        for option in re.findall(r"--([\w-]+)", rest.partition("#")[0]):
            assert option in text or f"{option.replace('-', '_')}: " in text, (script, option)


def test_the_runbook_names_log_words_that_exist() -> None:
    """Each word that it greps for has a row among the lines of the log."""
    rows = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`[^|]+) \|", RUNBOOK, re.MULTILINE))))

    assert greps(RUNBOOK)
    assert greps(RUNBOOK) <= rows


def greps(page: str) -> set[str]:
    """The words that commands look for in the log."""
    groups = re.findall(r"heroku logs --tail --ps worker \| grep -E '([^']+)'", page)
    return {word for group in groups for word in group.split("|")}
