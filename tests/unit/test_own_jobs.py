"""A team's own jobs: their classes, names, schedules and settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel
from pydantic_settings import BaseSettings, SettingsConfigDict

from processors.features import FEATURES, with_own_jobs
from processors.own.feature import own_feature
from queue_lib.errors import ConfigurationError, SnoozeError
from queue_lib.feature import Feature, jobs_of, queues_of, schedules_of
from queue_lib.job import Backoff as JobBackoff
from queue_lib.jobs import Backoff, Context, Job, Model, Queue, Schedule
from queue_lib.jobs.own_job import schema_of
from queue_lib.jobs.own_module import OwnJobs, own_jobs
from queue_lib.processor import JobSchema
from queue_lib.serving import choose
from queue_lib.settings import Reading
from storage.errors import StorageAwayError
from tests.support.fakes import FakeContext
from tests.support.own_jobs import GOOD

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("own_folder")


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


def test_a_class_is_a_schema() -> None:
    """The payload is that of `Job[...]`."""
    assert JobSchema("send-invoice", "invoices", Invoice, Sent, 5, JobBackoff((1.0, 60.0))) == schema_of(SendInvoice)
    assert JobSchema("plain", "invoices", Invoice) == schema_of(Plain)
    assert Invoice is schema_of(Special).payload


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
    assert {"pushmill:a": good} == found["invoices"]
    assert {"pushmill:news": push} == found["push-notifications"]


def test_a_process_has_the_schedules_of_its_queues(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those of a feature that it does not serve: otherwise it would delete another process's. Owners are all."""
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
    assert {"x": {"pushmill:two:b": Schedule("b", "one", {"invoiceId": "i"}, every=60)}} == chosen.schedules
    assert {"one", "two"} == chosen.owners
    assert {"one", ""} == choose([one, own_feature(OwnJobs())]).owners


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
