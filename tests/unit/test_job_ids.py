"""The ids that a producer may choose for a job: none that could break a queue."""

from __future__ import annotations

import re
from pathlib import Path

import bullmq
import pytest
from bullmq.queue_keys import QueueKeys

from queue_lib.addition import Addition
from queue_lib.admin.admission import Admission
from queue_lib.errors import PermanentError
from queue_lib.job import KEYS_OF_QUEUES, is_fit_id
from queue_lib.processor import JobSchema
from tests.support.fakes import Greeting


@pytest.mark.parametrize("job_id", ["a", "upload-17", "A_b", "0x1", "1-2", "waiting", "Wait", "x" * 128])
def test_ids_that_both_wires_take(job_id: str) -> None:
    """Letters, digits, - and _."""
    assert is_fit_id(job_id)


@pytest.mark.parametrize(
    "job_id",
    [
        *("", "12", "0", "-1", "x" * 129, "a b", "ä", "a\n", "\ud800"),
        *("a:lock", "a:logs", "a:processed", "repeat:x:1", "*", "a*", "a?", "[a]", "{a}", "../a", "a/b"),
        *sorted(KEYS_OF_QUEUES),
    ],
)
def test_ids_that_no_job_may_have(job_id: str) -> None:
    """Numbers are BullMQ's own ids, colons and stars are parts of keys and patterns, some words are keys of the queue.

    They are refused to clients of the API and the scripts, and to running jobs that add others.
    """
    assert not is_fit_id(job_id)
    addition = Addition(name="greet", data={"userId": "u", "count": 1}, job_id=job_id)
    with pytest.raises(PermanentError, match="a job's id has letters"):
        Admission([JobSchema("greet", "work", Greeting)]).queue_of(addition)
    with pytest.raises(PermanentError, match="a job's id has letters"):
        addition.check()


def test_all_keys_that_bullmq_has_are_known() -> None:
    """Those of the package, and the literals of its scripts: a release with a new key is noticed here."""
    scripts = Path(bullmq.__file__).with_name("commands").glob("*.lua")
    literals = re.compile(r"\b(?:prefix|baseKey|prefixKey|keyPrefix)\s*\.\.\s*['\"]([a-z-]+)['\":]")
    written = {name for script in scripts for name in literals.findall(script.read_text())}

    assert {"active", "metrics", "dn"} <= written
    assert written | set(QueueKeys().getKeys("q")) - {""} <= KEYS_OF_QUEUES
