"""The verdict on top of the dashboard's overview."""

from __future__ import annotations

from dataclasses import replace

import pytest

from queue_lib.admin.outbox import OutboxView
from queue_lib.admin.ports import JobRef
from queue_lib.admin.queues import QueueStats
from queue_lib.broker.bullmq.schedulers import StoppedScheduler
from queue_lib.errors import Trouble
from queue_lib.job import State, Wire
from queue_lib.observe.worker_stats import WorkerView
from queue_lib.web.dashboard.verdict import Verdict, verdict_of

NOTHING = {wire: dict.fromkeys(State, 0) for wire in Wire}
WORK = QueueStats(queue="work", paused=False, counts=NOTHING, oldest=None)
WORKER = WorkerView(name="w", host="h", pid=1, started_at=0.0, queues=("work",), wires=tuple(Wire))
OUTBOX = OutboxView(table="o", seen_at=500.0, unpublished=1, bad=0, oldest=499.0, last=(), bad_rows=())


def waiting(count: int, **facts: object) -> QueueStats:
    """The queue with waiting jobs."""
    counts = {**NOTHING, Wire.RQ: NOTHING[Wire.RQ] | {State.WAITING: count}}
    return replace(WORK, counts=counts, **facts)  # type: ignore[arg-type]


def told(verdict: Verdict) -> list[str]:
    """What is wrong."""
    return [finding.text for finding in verdict.findings]


@pytest.mark.parametrize(
    ("stats", "text"),
    [
        (WORK, "All is served, and nothing waits."),
        (waiting(1, oldest=3.2), "All is served; 1 job waits, the next for 3.2 s."),
        (waiting(1200, oldest=12.0), "All is served; 1,200 jobs wait, the next for 12 s."),
    ],
)
def test_all_is_well(stats: QueueStats, text: str) -> None:
    """In one line, with what waits."""
    assert Verdict("good", text, ()) == verdict_of([stats], [WORKER], 0, OUTBOX, lost=False)


def test_the_most_important_comes_first() -> None:
    """Whatever the order in which it is found."""
    stats = [
        replace(WORK, stopped=[StoppedScheduler("nightly", "0 9 * * 8", "8 is no day of week", 5.0)]),
        waiting(2, queue="slow", oldest=400.0),
        waiting(1, queue="off", paused=True, oldest=400.0),
        replace(WORK, stuck=[JobRef("a"), JobRef("b")]),
        replace(WORK, queue="odd", counts={}, trouble=Trouble.WRONG_TYPE),
    ]
    workers = [replace_queues("work", "slow", "off")]
    late = OUTBOX.model_copy(update={"oldest": 100.0, "bad": 2})
    verdict = verdict_of(stats, workers, 4, late, lost=True)

    assert "bad" == verdict.kind
    assert [
        "Redis lost data",
        "odd: No worker serves this queue",
        "odd can't be read: a key in Redis has the wrong type",
        "The outbox has stood still for 7 min",
        "slow has kept its next job waiting for 7 min",
        "2 bad rows of the outbox",
        "work: 1 schedule has stopped",
        "work: 2 jobs wait for a dead child",
        "4 dead letters",
        "off is paused, and 1 job waits",
    ] == told(verdict)


def replace_queues(*queues: str) -> WorkerView:
    """A worker of these queues."""
    return WORKER.model_copy(update={"queues": queues})


def test_no_worker_is_said_once() -> None:
    """And not for each queue."""
    verdict = verdict_of([WORK, replace(WORK, queue="other")], [], 0, None, lost=False)
    assert ("bad", ["No worker runs"]) == (verdict.kind, told(verdict))
    assert ["/workers"] == [finding.path for finding in verdict.findings]


@pytest.mark.parametrize(
    ("letters", "kind", "text"),
    [
        (1, "warn", "1 dead letter"),
        (12_000, "warn", "12,000 dead letters"),
        (None, "bad", "The dead letters can't be read"),
    ],
)
def test_dead_letters_and_pauses_are_less_than_an_outage(letters: int | None, kind: str, text: str) -> None:
    """Nothing that is to run stands still."""
    verdict = verdict_of([replace(WORK, paused=True)], [WORKER], letters, None, lost=False)
    assert (kind, [text, "work is paused"]) == (verdict.kind, told(verdict))
