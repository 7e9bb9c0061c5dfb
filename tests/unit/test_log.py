"""What the log says of an event, and what it never says."""

from __future__ import annotations

import io
import json
import logging
from typing import TYPE_CHECKING

import pytest
import structlog

from queue_lib.job import Wire
from queue_lib.observe.events import BrokerBack, BrokerLost, JobEnded, JobsRecovered, JobStarted, Logged
from queue_lib.observe.log import LogObserver, configure, describe
from queue_lib.outcome import Dead, Done, Failure, Lost, Released, Retry, Snooze
from tests.support.fakes import make_job

if TYPE_CHECKING:
    from collections.abc import Iterator

JOB = make_job(data={"endpoint": "https://push.example/s3cret"})
OF_JOB = {"queue": "work", "wire": "bullmq", "id": "1", "name": "greet", "attempt": 1, "seconds": 0.25}
FAILURE = Failure("it broke", "Traceback")
COUNTED = {"push_deliveries": {"https://push.example": {"sent": 2}}}


@pytest.mark.parametrize(
    ("event", "level", "word", "fields"),
    [
        (
            JobStarted(JOB),
            logging.DEBUG,
            "job_started",
            {name: value for name, value in OF_JOB.items() if name != "seconds"},
        ),
        (JobEnded(JOB, Done({"url": "s3cret"}), 0.25), logging.INFO, "job_done", OF_JOB | {"outcome": "done"}),
        (
            JobEnded(JOB, Retry(2.0, FAILURE), 0.25),
            logging.WARNING,
            "job_retry",
            OF_JOB | {"outcome": "retry", "delay": 2.0, "reason": "it broke"},
        ),
        (
            JobEnded(JOB, Snooze(9.0, "slow down"), 0.25),
            logging.INFO,
            "job_snoozed",
            OF_JOB | {"outcome": "snooze", "delay": 9.0, "reason": "slow down"},
        ),
        (
            JobEnded(JOB, Dead(FAILURE), 0.25),
            logging.ERROR,
            "job_dead",
            OF_JOB | {"outcome": "dead", "reason": "it broke"},
        ),
        (JobEnded(JOB, Released(), 0.25), logging.INFO, "job_released", OF_JOB),
        (JobEnded(JOB, Lost("taken over"), 0.25), logging.WARNING, "job_lost", OF_JOB | {"reason": "taken over"}),
        (
            BrokerLost(Wire.RQ, "work", "refused"),
            logging.ERROR,
            "broker_lost",
            {"wire": "rq", "queue": "work", "reason": "refused"},
        ),
        (
            BrokerBack(Wire.RQ, "work", 5.04),
            logging.INFO,
            "broker_back",
            {"wire": "rq", "queue": "work", "seconds": 5.0},
        ),
        (
            JobsRecovered(Wire.RQ, "work", ("1", "2")),
            logging.WARNING,
            "jobs_recovered",
            {"wire": "rq", "queue": "work", "ids": ["1", "2"]},
        ),
        (
            JobEnded(JOB, Done(None), 0.25, COUNTED),
            logging.INFO,
            "job_done",
            OF_JOB | {"outcome": "done", "push_deliveries": {"https://push.example": {"sent": 2}}},
        ),
        (JobEnded(JOB, Released(), 0.25, COUNTED), logging.INFO, "job_released", OF_JOB | COUNTED),
        (
            JobEnded(JOB, Lost("away"), 0.25, COUNTED),
            logging.WARNING,
            "job_lost",
            OF_JOB | {"reason": "away"} | COUNTED,
        ),
    ],
)
def test_an_event_is_one_line(event: Logged, level: int, word: str, fields: dict[str, object]) -> None:
    """Each event has its level, its word and its fields; payloads and results are not among them."""
    assert (level, word, fields) == describe(event)
    assert "s3cret" not in str(describe(event))


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What the log writes, as JSON."""
    before, out = structlog.get_config(), io.StringIO()
    configure("info", "json", out)
    yield out
    structlog.configure(**before)


def test_a_line_is_json_whatever_is_in_it(lines: io.StringIO) -> None:
    """Values that JSON lacks are shown as Python shows them, and an exception as its traceback."""
    structlog.get_logger().info("odd", value={1}, exc_info=ValueError("it\nbroke"))
    structlog.get_logger().warning("even")

    odd, even = (json.loads(line) for line in lines.getvalue().splitlines())
    assert ("odd", "info", "{1}") == (odd["event"], odd["level"], odd["value"])
    assert odd["exception"].endswith("ValueError: it\nbroke")
    assert ("even", "warning") == (even["event"], even["level"])
    assert even["timestamp"].endswith("Z")


def test_a_line_of_a_library_has_the_same_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its level and its exception, too. What it says for information is not written."""
    monkeypatch.setattr(logging.root, "handlers", [])
    before, out = structlog.get_config(), io.StringIO()
    configure("info", "json", out)
    logger = logging.getLogger("somebody.else")
    logger.warning("it is %s", "late")
    logger.error("it broke", exc_info=ValueError("it\nbroke"))
    logger.info("hello")
    structlog.configure(**before)

    late, broke = (json.loads(line) for line in out.getvalue().splitlines())
    assert late.pop("timestamp").endswith("Z")
    assert {"event": "library", "library": "somebody.else", "said": "it is late", "level": "warning"} == late
    assert ("it broke", "error") == (broke["said"], broke["level"])
    assert broke["exception"].endswith("ValueError: it\nbroke")


@pytest.mark.parametrize(("level", "words"), [("debug", ["job_started", "job_done"]), ("info", ["job_done"])])
def test_a_start_is_written_at_the_level_debug_alone(lines: io.StringIO, level: str, words: list[str]) -> None:
    """An end is written at each."""
    configure(level, "json", lines)
    observe = LogObserver()
    for event in (JobStarted(JOB), JobEnded(JOB, Done({}), 0.25)):
        observe(event)

    assert words == [json.loads(line)["event"] for line in lines.getvalue().splitlines()]
