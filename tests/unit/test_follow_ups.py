"""A job's data and result name its follow-ups; any producer may have written them."""

from __future__ import annotations

from typing import Any

import pytest

from queue_lib.admin.follow_ups import LONGEST, MOST, follow_up_of, follow_ups
from queue_lib.admin.ports import JobRef, JobView
from queue_lib.job import State, Wire


def view(data: Any, result: Any) -> JobView:
    """A completed job."""
    return JobView(
        id="1", name="n", queue="q", wire=Wire.BULLMQ, state=State.COMPLETED, data=data, attempts_made=1, result=result
    )


def test_a_job_that_is_both() -> None:
    """The job that added it comes before the first one; a job that is both is named once."""
    job = view({"followUpOf": "a", "addedBy": "b"}, {"followUps": ["c", "d", "c"]})

    assert (JobRef("b", "q"), JobRef("a", "q")) == follow_up_of(job)
    assert (JobRef("c", "q"), JobRef("d", "q")) == follow_ups(job)
    assert (JobRef("a", "q"),) == follow_up_of(view({"followUpOf": "a", "addedBy": "a"}, None))
    assert (JobRef("a", "q"),) == follow_up_of(view({"followUpOf": "a"}, None))


@pytest.mark.parametrize("odd", [None, "x", 5, [], {}, {"followUps": "abc", "followUpOf": {"id": "a"}, "addedBy": 5}])
def test_other_data_names_no_job(odd: Any) -> None:
    """An app's own data and results may be anything."""
    assert ((), ()) == (follow_ups(view(odd, odd)), follow_up_of(view(odd, odd)))


def test_of_many_some_are_shown() -> None:
    """And none whose page could not be requested."""
    ids: list[Any] = [None, {}, "", "x" * (LONGEST + 1), *map(str, range(1000))]

    assert [JobRef(str(n), "q") for n in range(MOST)] == list(follow_ups(view({}, {"followUps": ids})))
