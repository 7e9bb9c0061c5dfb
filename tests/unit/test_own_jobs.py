"""A team's own jobs: their module, and the errors for a wrong one."""

from __future__ import annotations

import sched
import sys
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel
from pydantic_settings import BaseSettings, SettingsConfigDict

from processors.features import FEATURES, with_own_jobs
from queue_lib.errors import ConfigurationError, SnoozeError
from queue_lib.feature import Feature, jobs_of, queues_of, schedules_of
from queue_lib.job import Backoff as JobBackoff
from queue_lib.jobs import Backoff, Context, Job, Model, Queue, Schedule
from queue_lib.jobs.own_job import schema_of
from queue_lib.jobs.own_module import OwnJobs, own_jobs, read_modules
from queue_lib.processor import JobSchema
from queue_lib.serving import choose
from queue_lib.settings import Reading, WorkerSettings
from storage.errors import StorageAwayError
from tests.support.fakes import FakeContext

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GOOD = """
from queue_lib.jobs import Job, Model, Queue

class Invoice(Model):
    invoice_id: str

class SendInvoice(Job[Invoice]):
    name, queue = "send-invoice", "invoices"

    async def handle(self, payload, context):
        return {"sent": payload.invoice_id}

QUEUES = (Queue(name="invoices"),)
JOBS = (SendInvoice,)
"""


class Invoice(Model):
    """A payload."""

    invoice_id: str


class Sent(Model):
    """A result."""

    sent: str


class SendInvoice(Job[Invoice]):
    """A job whose payload mypy checks: without `payload: Invoice` this file would not pass."""

    name = "send-invoice"
    queue = "invoices"
    result = Sent
    attempts = 5
    backoff = Backoff((1.0, 60.0))

    async def handle(self, payload: Invoice, context: Context) -> Sent:
        """Return a model."""
        return Sent(sent=f"{payload.invoice_id} in {context.job.queue}")


class Plain(Job[Invoice]):
    """A job with a plain function."""

    name = "plain"
    queue = "invoices"

    def handle(self, payload: Invoice, _: Context) -> dict[str, str]:
        """Return a dict."""
        return {"sent": payload.invoice_id}


class Mistyped(Job[Invoice]):
    """A job that mypy refuses."""

    def handle(self, payload: Sent, context: Context) -> None:  # type: ignore[override]
        """Take another payload than the job has."""


class Special(SendInvoice):
    """A subclass of another job is a job with its payload."""

    name = "special"


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A working directory of the test's own, from which modules are imported, and an environment without settings."""
    before = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for name in ("JOBS", "QUEUES", "WORKER_TYPE", "DATABASE_URL", "STORAGE_URL", *WorkerSettings.model_fields):
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("REDIS_URL", "redis://localhost:6379")
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def faults(*names: str) -> list[str]:
    """The lines that the process ends with."""
    with pytest.raises(ConfigurationError) as caught:
        read_modules(names)
    assert all("\n" not in fault for fault in caught.value.faults)
    return list(caught.value.faults)


def test_a_class_is_a_schema() -> None:
    """The payload is that of `Job[...]`."""
    assert JobSchema("send-invoice", "invoices", Invoice, Sent, 5, JobBackoff((1.0, 60.0))) == schema_of(SendInvoice)
    assert JobSchema("plain", "invoices", Invoice) == schema_of(Plain)
    assert Invoice is schema_of(Special).payload


def test_a_module_beside_the_worker(tmp_path: Path) -> None:
    """It is imported from the working directory; several modules are added up."""
    (tmp_path / "good.py").write_text(GOOD)
    (tmp_path / "more.py").write_text(GOOD.replace('"send-invoice"', '"remind"').replace("QUEUES", "_"))
    own = read_modules(["good", "more"])

    assert [Queue(name="invoices")] == list(own.queues)
    assert ["send-invoice", "remind"] == [job.name for job in own.jobs]
    assert OwnJobs() == read_modules([])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import nothere", "JOBS: own: No module named 'nothere'"),
        ("x = (", "JOBS: own: '(' was never closed (own.py, line 1)"),
        ("y = 1\nx = y.z", "JOBS: own: AttributeError: 'int' object has no attribute 'z' ({}/own.py, line 2)"),
        ("import os\nos.environ['NO_KEY']", "JOBS: own: KeyError: 'NO_KEY' ({}/own.py, line 2)"),
        ("raise ValueError('a\\nb')", "JOBS: own: ValueError: a b ({}/own.py, line 1)"),
        ("raise SystemExit", "JOBS: own: SystemExit: SystemExit ({}/own.py, line 1)"),
        ("", "JOBS: own: it has no JOBS; write JOBS = (SendInvoice,) with the classes of its jobs ({}/own.py)"),
        ("JOBS = {}", "JOBS: own: JOBS is no tuple; write JOBS = (..., )"),
        ("JOBS = (7,)", "JOBS: own: JOBS: 7 is no class of a Job; write class SendInvoice(Job[Invoice])"),
        ("QUEUES = ('a',)\nJOBS = ()", "JOBS: own: QUEUES: 'a' is no Queue"),
        ("SCHEDULES = ('a',)\nJOBS = ()", "JOBS: own: SCHEDULES: 'a' is no Schedule"),
    ],
)
def test_a_faulty_module_is_one_line(tmp_path: Path, text: str, expected: str) -> None:
    """It says where."""
    (tmp_path / "own.py").write_text(text)

    assert [expected.format(tmp_path)] == faults("own")


def test_a_module_with_the_name_of_pythons_own(tmp_path: Path) -> None:
    """The fault says which file was read: `sched` is in Python's library, and so another file than the team's."""
    (tmp_path / "sched.py").write_text(GOOD)
    (tmp_path / "folder").mkdir()

    known = "it has no JOBS; write JOBS = (SendInvoice,) with the classes of its jobs"
    assert [
        f"JOBS: sched: {known} ({sched.__file__})",
        f"JOBS: folder: {known} (a folder without __init__.py)",
    ] == faults("sched", "folder")


def test_missing_modules_are_all_named() -> None:
    """Each has its line."""
    assert ["JOBS: nothere: No module named 'nothere'", "JOBS: a.b: No module named 'a'"] == faults("nothere", "a.b")


@pytest.mark.parametrize("name", ["own.py", "./own", "jobs/own", "a..b"])
def test_bad_names_of_modules(tmp_path: Path, name: str) -> None:
    """The fault says what to write; nothing is imported."""
    (tmp_path / "own.py").write_text("1 / 0")

    assert [f"JOBS: {name}: it is no name of a module; write JOBS=jobs for the file jobs.py"] == faults(name)


@pytest.mark.parametrize("name", ["a:b", "", "dead", "mail-high", "mail-low", "a b", "-a"])
def test_bad_names_of_queues(tmp_path: Path, name: str) -> None:
    """Both wires build keys from the name, RQ builds lanes, and the environment variables."""
    (tmp_path / "own.py").write_text(f"from queue_lib.jobs import Queue\nQUEUES = (Queue(name={name!r}),)\nJOBS = ()")

    [fault] = faults("own")
    assert fault.startswith(f"JOBS: own: QUEUES: {name!r} can't be the name of a queue: letters and digits, ")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("backoff=5.0", "backoff is no Backoff of seconds; write Backoff((5.0,)), with a comma"),
        ("backoff=Backoff(())", "backoff is no Backoff of seconds; write Backoff((5.0,)), with a comma"),
        ("backoff=Backoff((5.0))", "backoff is no Backoff of seconds; write Backoff((5.0,)), with a comma"),
        ("profile='huge'", "profile 'huge' is none of light, medium, heavy"),
        ("keep_failed=60", "keep_failed is no Retention; write keep_failed=Retention(age=3600.0) with seconds"),
    ],
)
def test_a_faulty_queue_is_refused(tmp_path: Path, fields: str, expected: str) -> None:
    """Its numbers are checked as if the environment had set them; the rest is checked here."""
    text = f"from queue_lib.jobs import Backoff, Queue\nQUEUES = (Queue(name='a', {fields}),)\nJOBS = ()"
    (tmp_path / "own.py").write_text(text)

    assert [f"JOBS: own: the queue 'a': {expected}"] == faults("own")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("async def", "attempts = 0\n    async def", "SendInvoice: attempts is no whole number of 1 or more"),
        (
            "async def",
            "backoff = 5.0\n    async def",
            "SendInvoice: backoff is no Backoff of seconds; write Backoff((5.0,)), with a comma",
        ),
        (
            "Job[Invoice]",
            "Job",
            "SendInvoice: it has no payload; write class SendInvoice(Job[...]) with a class of a Model",
        ),
        (
            "Job[Invoice]",
            "Job[dict]",
            "SendInvoice: its payload, dict, is no Model; write class SendInvoice(Job[...]) with a class of a Model",
        ),
        ("name, queue = ", "name, _ = ", 'SendInvoice has no queue; write queue = "..." in the class'),
        ("name, queue = ", "_, queue = ", 'SendInvoice has no name; write name = "..." in the class'),
        (
            "def handle",
            "def run",
            "SendInvoice has no handle; write async def handle(self, payload, context)",
        ),
        ("return {", "yield {", "SendInvoice: handle has a yield, so nobody would run it; return the result"),
        (
            ", payload, context)",
            ", payload)",
            "SendInvoice: handle has other arguments; write async def handle(self, payload, context)",
        ),
    ],
)
def test_a_faulty_class_is_one_line(tmp_path: Path, old: str, new: str, expected: str) -> None:
    """It says what to write."""
    (tmp_path / "own.py").write_text(GOOD.replace(old, new))

    assert [f"JOBS: own: {expected}"] == faults("own")


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("'night', 'a', cron='0 25 * * *'", "'night' has a cron that can't be read, '0 25 * * *': 25 is no hour"),
        (
            "'night', 'a', cron='0 3 * * *', tz='Mars'",
            "'night' has a cron that can't be read, '0 3 * * *': there is no",
        ),
        ("'night', 'a'", "'night' needs either cron or every"),
        ("'night', 'a', cron='0 3 * * *', every=60", "'night' needs either cron or every"),
        ("'night', 'a', every=0", "'night' is every 0 s: it needs 1 s at least, and less than a year"),
        (
            "'night', 'a', every='60'",
            "'night' has a wrong type: key, job, cron and tz are texts, and every is a number",
        ),
        ("'night', 'a', cron=3", "'night' has a wrong type: key, job, cron and tz are texts, and every is a number"),
        ("7, 'a', every=60", "7 has a wrong type: key, job, cron and tz are texts, and every is a number"),
        ("'a:b', 'a', every=60", "'a:b' needs another key: letters and digits, with -, _ or . between them"),
    ],
)
def test_a_faulty_schedule_is_refused(tmp_path: Path, schedule: str, expected: str) -> None:
    """At the start, not when it is due."""
    text = f"from queue_lib.jobs import Schedule\nSCHEDULES = (Schedule({schedule}),)\nJOBS = ()"
    (tmp_path / "own.py").write_text(text)

    [fault] = faults("own")
    assert fault.startswith(f"JOBS: own: the schedule {expected}")


def test_a_schedule_names_a_known_job() -> None:
    """With a payload that the job accepts; all faults are named together."""
    queues, good = (Queue(name="invoices"),), Schedule("a", "plain", {"invoiceId": "i"}, every=60)
    own = OwnJobs(queues, (Plain,), (good, Schedule("b", "none", every=60), Schedule("c", "plain", every=60)))
    with pytest.raises(ConfigurationError) as caught:
        schedules_of(with_own_jobs(own))
    assert (
        "the schedule 'b' of own jobs: no such job: 'none'",
        "the schedule 'c' of own jobs: bad payload for plain: invoiceId: Field required",
    ) == caught.value.faults

    with pytest.raises(ConfigurationError, match="the schedule name 'a' is taken: it is there 2 times, in plain"):
        schedules_of(with_own_jobs(OwnJobs(queues, (Plain,), (good, good))))
    push = Schedule("news", "push-notification", {"userId": "u", "payload": {"title": "News", "body": "."}}, every=60)
    found = schedules_of(with_own_jobs(OwnJobs(queues, (Plain,), (good, push))))
    assert {"invoices": (good,), "push-notifications": (push,)} == found


def test_a_process_has_the_schedules_of_its_queues(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those of a feature that it does not serve: otherwise it would delete another process's."""
    every = Schedule("a", "two", every=60)
    one = Feature(name="one", queues=(Queue(name="x"),), jobs=(JobSchema("one", "x", Invoice),), open=_never)
    two = Feature(
        name="two",
        queues=(Queue(name="y"),),
        jobs=(JobSchema("two", "y", Model),),
        schedules=(every, Schedule("b", "one", {"invoiceId": "i"}, every=60)),
        open=_never,
    )
    monkeypatch.setenv("QUEUES", "x")
    chosen = choose([one, two])

    assert [one] == list(chosen.features)
    assert {"x": (Schedule("b", "one", {"invoiceId": "i"}, every=60),)} == chosen.schedules


def test_names_are_unique() -> None:
    """A built-in job, or another one of the team, may have the name already; the job's queue must exist."""
    taken = type("Taken", (SendInvoice,), {"name": "push-batch", "queue": "push-notifications"})
    with pytest.raises(ConfigurationError, match="'push-batch' is taken: it is there 2 times, in push and own jobs"):
        jobs_of(with_own_jobs(OwnJobs(jobs=(taken,))))
    with pytest.raises(ConfigurationError, match="'plain' is taken: it is there 2 times, in own jobs"):
        jobs_of(with_own_jobs(OwnJobs((Queue(name="invoices"),), (Plain, Plain))))
    with pytest.raises(ConfigurationError, match="'file-processing' is taken: it is there 2 times, in media and own"):
        queues_of(with_own_jobs(OwnJobs((Queue(name="file-processing"),))))
    with pytest.raises(ConfigurationError, match="the job 'plain' belongs in the queue 'invoices', and there is none"):
        jobs_of(with_own_jobs(OwnJobs(jobs=(Plain,))))


def test_all_faults_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of JOBS and those of the settings."""
    monkeypatch.setenv("JOBS", "nothere")
    monkeypatch.setenv("LOG_LEVEL", "loud")
    reading = Reading()
    features = with_own_jobs(own_jobs(reading))
    with pytest.raises(ConfigurationError) as caught:
        choose(features, reading)

    assert FEATURES == features
    assert ["JOBS", "LOG_LEVEL"] == [fault.split(":")[0] for fault in caught.value.faults][:2]


def test_a_module_is_named_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Named twice, all its names would be taken."""
    (tmp_path / "good.py").write_text(GOOD)
    monkeypatch.setenv("JOBS", "good, good")
    reading = Reading()
    own_jobs(reading)

    assert ["JOBS: name none twice"] == reading.faults


def test_own_jobs_are_served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without further settings; QUEUES and WORKER_TYPE choose among all queues, which have their variables."""
    (tmp_path / "good.py").write_text(GOOD)
    monkeypatch.setenv("JOBS", "good")
    monkeypatch.setenv("INVOICES_CONCURRENCY", "7")
    [queue] = served_queues()

    assert ("invoices", 7) == (queue.name, queue.concurrency)
    monkeypatch.setenv("WORKER_TYPE", "heavy")
    with pytest.raises(ConfigurationError, match="WORKER_TYPE: no queue is heavy"):
        served_queues()


async def test_a_class_that_can_not_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a fault of the set-up, in one line: the worker makes one object of each class."""
    (tmp_path / "broken.py").write_text(GOOD.replace("    async def", "    def __init__(self): pass\n\n    async def"))
    monkeypatch.setenv("JOBS", "broken")
    reading = Reading()
    features = with_own_jobs(own_jobs(reading), ())
    served = choose(features, reading)

    with pytest.raises(ConfigurationError, match=r"JOBS: SendInvoice: TypeError: .* takes 1 positional argument but 2"):
        async with features[0].open(served, None):
            pass


class ReadsRow(Job[Invoice]):
    """Needs a server that does not answer."""

    name, queue = "reads-row", "invoices"

    async def handle(self, payload: Invoice, context: Context) -> None:
        """Read."""
        msg = f"no row of {payload.invoice_id}: the database does not answer"
        raise StorageAwayError(msg)


async def test_a_job_waits_for_the_database() -> None:
    """While it is away the job is put off, and no attempt is counted."""
    features = with_own_jobs(OwnJobs((Queue(name="invoices"),), (ReadsRow,)), ())
    async with features[0].open(choose(features), None) as opened:
        with pytest.raises(SnoozeError, match="no row of i-1: the database does not answer"):
            await opened.processors["reads-row"](Invoice(invoice_id="i-1"), FakeContext())


def served_queues() -> tuple[Queue, ...]:
    """The queues that `worker.py` serves."""
    reading = Reading()
    return choose(with_own_jobs(own_jobs(reading), ()), reading).queues


class Optional(BaseSettings):
    """Settings that a feature does not require."""

    model_config = SettingsConfigDict(env_ignore_empty=True)

    shop_url: str


def test_settings_that_are_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are read if they are set, and are no fault if not."""
    schema = JobSchema("a", "invoices", BaseModel)
    queues = (Queue(name="invoices"),)
    feature = Feature(name="a", queues=queues, jobs=(schema,), optional_settings=(Optional,), open=_never)
    assert choose([feature]).find(Optional) is None

    monkeypatch.setenv("SHOP_URL", "here")
    assert "here" == choose([feature]).of(Optional).shop_url


def _never(*_: Any) -> Any:
    raise AssertionError
