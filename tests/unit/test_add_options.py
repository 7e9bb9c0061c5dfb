"""The options of a job as clients write them, and as the queue gets them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from queue_lib.addition import Addition, Deduplication
from queue_lib.admin.add_options import AddOptions
from queue_lib.job import Backoff
from queue_lib.processor import faults
from queue_lib.queues import Retention


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {}),
        (
            {"jobId": "a", "delay": 1500, "attempts": 2, "lifo": True},
            {"job_id": "a", "delay": 1.5, "attempts": 2, "lifo": True},
        ),
        ({"priority": 10}, {"priority": 10}),
        ({"priority": "low"}, {"priority": "low"}),
        ({"backoff": 500}, {"backoff": Backoff((0.5,))}),
        ({"backoff": {"type": "fixed"}}, {"backoff": Backoff((0.0,))}),
        (
            {"backoff": {"type": "exponential", "delay": 2000, "jitter": 1}},
            {"backoff": Backoff((2.0,), exponential=True, jitter=1.0)},
        ),
        ({"removeOnComplete": True, "removeOnFail": False}, {"remove_on_complete": True, "remove_on_fail": False}),
        ({"removeOnComplete": 0, "removeOnFail": {"count": 5}}, {"remove_on_complete": 0, "remove_on_fail": 5}),
        (
            {"removeOnComplete": {"age": 60}, "removeOnFail": {"age": 60, "count": 5}},
            {"remove_on_complete": Retention(60), "remove_on_fail": Retention(60, 5)},
        ),
        ({"deduplication": {"id": "d"}}, {"deduplication": Deduplication(id="d")}),
        (
            {"deduplication": {"id": "d", "ttl": 1500, "extend": True, "replace": True, "keepLastIfActive": True}},
            {"deduplication": Deduplication(id="d", ttl=1.5, extend=True, replace=True, keep_last_if_active=True)},
        ),
    ],
)
def test_every_option_is_kept(options: dict[str, Any], expected: dict[str, Any]) -> None:
    """In seconds where BullMQ has milliseconds; options left out are the queue's."""
    addition = AddOptions.model_validate(options).addition("greet", {"to": 1})

    assert Addition(name="greet", data={"to": 1}, **expected) == addition
    if "removeOnComplete" in options:  # True equals 1
        assert type(expected["remove_on_complete"]) is type(addition.remove_on_complete)


def test_an_id_that_is_given_wins() -> None:
    """It wins over that of an Idempotency-Key."""
    assert "key-1" == AddOptions.model_validate({"jobId": "a"}).addition("greet", None, "key-1").job_id


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"timeout": 5}, "timeout: Extra inputs are not permitted"),
        ({"removeOnComplete": {"limit": 5}}, "removeOnComplete.object.limit: Extra inputs are not permitted"),
        ({"removeOnFail": {}}, "removeOnFail.object: Value error, age or count is needed"),
        ({"removeOnFail": "1d"}, "removeOnFail: Input should be true, false, a number or an object"),
        ({"removeOnFail": -1}, "removeOnFail.number: Input should be greater than or equal to 0"),
        ({"priority": True}, "priority: Input should be a number, or on RQ high or low"),
        ({"priority": 2**21}, "priority.number: Input should be less than or equal to 2097151"),
        ({"priority": "urgent"}, "priority.text: Input should be 'high' or 'low'"),
        ({"backoff": {"type": "custom"}}, "backoff.object.type: Input should be 'fixed' or 'exponential'"),
        ({"backoff": {"type": "fixed", "jitter": "1"}}, "backoff.object.jitter: Input should be a valid number"),
        ({"backoff": [1]}, "backoff: Input should be a number or an object"),
        ({"lifo": 1}, "lifo: Input should be a valid boolean"),
        ({"delay": 1.5}, "delay: Input should be a valid integer"),
        ({"deduplication": {"id": ""}}, "deduplication.id: String should have at least 1 character"),
        ({"deduplication": {"id": "d", "ttl": 0}}, "deduplication.ttl: Input should be greater than or equal to 1"),
        ({"deduplication": {"id": "d", "keepLast": True}}, "deduplication.keepLast: Extra inputs are not permitted"),
    ],
)
def test_a_bad_option_is_named(options: dict[str, Any], fault: str) -> None:
    """With the values that it may have."""
    with pytest.raises(ValidationError) as refused:
        AddOptions.model_validate(options)
    assert faults(refused.value).startswith(fault)
