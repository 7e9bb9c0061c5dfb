"""Jobs that an operator adds, on every wire: as a producer writes them, and none that could only die."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from queue_lib.addition import Addition, Priority
from queue_lib.admin.admission import UnfitJobsError
from queue_lib.broker.base import NotNow
from queue_lib.errors import PermanentError
from queue_lib.job import State
from tests.support.wire_kit import QUEUE, WireKit

if TYPE_CHECKING:
    from queue_lib.admin.admin import Admin


async def test_a_job_is_added(kit: WireKit, admin: Admin) -> None:
    """It has its own number of attempts. A second job with the same id is not added."""
    addition = Addition(name="greet", data={"userId": "u", "more": 1}, job_id="hello-1", attempts=2)

    assert ("hello-1", QUEUE.name) == await admin.jobs.add(addition, kit.inspector.wire)
    assert ("hello-1", QUEUE.name) == await admin.jobs.add(addition, kit.inspector.wire)

    broker = await kit.broker()
    job = (await kit.claim(broker)).job
    assert ("hello-1", "greet", {"userId": "u", "more": 1}, 2) == (job.id, job.name, job.data, job.max_attempts)
    assert isinstance(await broker.claim(QUEUE), NotNow)


async def test_a_job_is_added_for_later(kit: WireKit, admin: Admin) -> None:
    """The wire makes its id, and the queue's attempts apply."""
    job_id, _ = await admin.jobs.add(Addition(name="greet", data={"userId": "u"}, delay=60), kit.inspector.wire)

    view = await kit.view(job_id)
    assert (State.DELAYED, {"userId": "u"}) == (view.state, view.data)


@pytest.mark.parametrize(
    ("addition", "reason"),
    [
        (Addition(name="greeet", data={}), "no such job: 'greeet'; there are greet"),
        (Addition(name="call", data={"userId": "u"}), "no such job: 'call'"),
        (
            Addition(name="greet", data={"userId": ["secret"]}),
            "^bad payload for greet: userId: Input should be a valid string$",
        ),
        (Addition(name="greet", data="secret"), "^bad payload for greet: payload: "),
        (Addition(name="greet", data={"userId": "u"}, job_id="12"), "a job's id"),
        (Addition(name="greet", data={"userId": "u"}, job_id="a:b"), "a job's id"),
        (Addition(name="greet", data={"userId": "u"}, job_id=""), "a job's id"),
    ],
)
async def test_a_job_that_could_only_die_is_refused(
    kit: WireKit, admin: Admin, addition: Addition, reason: str
) -> None:
    """The reason names the field, and repeats no value."""
    with pytest.raises(PermanentError, match=reason) as refused:
        await admin.jobs.add(addition, kit.inspector.wire)

    assert "secret" not in str(refused.value)
    assert {0} == set((await kit.inspector.counts(QUEUE.name)).values())


async def test_an_option_that_the_wire_lacks_is_refused(kit: WireKit, admin: Admin) -> None:
    """The answer names it. If one job of a batch has it, no job of the batch is added."""
    priority: Priority = "high" if kit.name == "bullmq" else 1
    good = Addition(name="greet", data={"userId": "u"})
    bad = replace(good, priority=priority)

    with pytest.raises(PermanentError, match=r"^priority: "):
        await admin.jobs.add(bad, kit.inspector.wire)
    with pytest.raises(UnfitJobsError) as refused:
        await admin.jobs.add_all([(good, kit.inspector.wire), (bad, kit.inspector.wire)])

    assert [1] == list(refused.value.faults)
    assert {0} == set((await kit.inspector.counts(QUEUE.name)).values())


async def test_lanes_of_rq_order_jobs(rq: WireKit) -> None:
    """Jobs of the high lane run first, those of the low lane last."""
    priorities: list[Priority] = ["low", None, "high"]
    for number, priority in enumerate(priorities):
        await rq.inspector.add(QUEUE.name, Addition(name="greet", data=number, priority=priority))

    broker = await rq.broker()
    assert [2, 1, 0] == [(await rq.claim(broker)).job.data for _ in priorities]
