"""Whatever push services answer and wherever runs are cut short, every subscription is settled once."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from processors.push.backoff import MAX_ATTEMPTS
from processors.push.batch import PushBatch
from processors.push.delivery import UNASKED, Delivery, Kind
from processors.push.payload import BatchPayload, FollowUpPayload
from processors.push.processor import PushFollowUp
from queue_lib.errors import PermanentError
from tests.support.fakes import FakeContext, make_job
from tests.support.push_fakes import Clock, FakeSender, FakeSubscriptions, make_dependencies
from tests.support.push_mortal import Killed, MortalContext

ENDS = st.sampled_from([Kind.SENT, Kind.GONE, Kind.MESSAGE, Kind.TRANSIENT, Kind.THROTTLED, Kind.KEY_MISMATCH])
FINAL = {Kind.SENT, Kind.GONE, Kind.MESSAGE, Kind.KEY_MISMATCH}


async def run_to_the_end(sender: FakeSender, count: int, deaths: list[tuple[int, bool]]) -> tuple[Counter[str], int]:
    """A batch and all its follow-ups, run again after each death; returns the recipients, and the number of deaths."""
    rows, clock = FakeSubscriptions(count), Clock()
    dependencies = make_dependencies(rows, sender, clock)
    payload = BatchPayload.model_validate({"all": True, "payload": {"title": "t", "body": "b"}})
    life, died = deque(deaths), 0
    waiting: deque[tuple[Any, Any, MortalContext]] = deque()
    waiting.append((PushBatch(dependencies), payload, MortalContext(make_job(), life)))
    known: set[str] = set()
    while waiting:
        processor, data, context = waiting.popleft()
        try:
            await processor(data, context)
        except Killed:
            died += 1
            context.dead = False
            waiting.append((processor, data, context))
        clock.now += 1000
        for job_id, follow_up in context.enqueued.items():
            if job_id not in known:
                known.add(job_id)
                job = make_job(id=job_id, data=follow_up.data)
                parsed = FollowUpPayload.model_validate(follow_up.data)
                waiting.append((PushFollowUp(dependencies), parsed, MortalContext(job, life)))
    return Counter(sender.taken), died


@given(st.dictionaries(st.integers(0, 29), st.lists(ENDS, min_size=1, max_size=6), max_size=30))
def test_without_a_crash_each_subscription_is_settled_once(script: dict[int, list[Kind]]) -> None:
    """Each is tried until its first final answer, five times at most."""
    sender = FakeSender(script)

    taken, _ = asyncio.run(run_to_the_end(sender, 30, []))

    assert all(times == 1 for times in taken.values())
    tried = Counter(sender.tried)
    for number in range(30):
        ends = script.get(number, [Kind.SENT])
        endless = [*ends, *[ends[-1]] * MAX_ATTEMPTS]
        needed = next((n for n, end in enumerate(endless, 1) if end in FINAL), MAX_ATTEMPTS)
        assert tried[f"{number:06}"] == min(needed, MAX_ATTEMPTS)


@given(
    st.dictionaries(st.integers(0, 29), st.lists(ENDS, min_size=1, max_size=6), max_size=30),
    st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=4),
)
def test_a_crash_repeats_only_what_was_not_noted(script: dict[int, list[Kind]], deaths: list[tuple[int, bool]]) -> None:
    """Every recipient is reached, and gets at most one repeated message a crash."""
    sender = FakeSender(script)

    taken, died = asyncio.run(run_to_the_end(sender, 30, deaths))

    assert max(taken.values(), default=0) <= 1 + died
    for number in range(30):
        ends = script.get(number, [Kind.SENT])
        if ends[0] is Kind.SENT:
            assert taken[f"{number:06}"] >= 1


@given(st.lists(st.sampled_from(list(Kind)), min_size=1, max_size=40))
def test_the_counts_always_add_up(kinds: list[Kind]) -> None:
    """Each subscription is in one of the counts, and in one of its origin's."""
    sender = FakeSender({n: Delivery(kind, kind.value) for n, kind in enumerate(kinds)})
    dependencies = make_dependencies(FakeSubscriptions(len(kinds)), sender)
    payload = BatchPayload.model_validate({"all": True, "payload": {"title": "t", "body": "b"}})
    try:
        result = asyncio.run(PushBatch(dependencies)(payload, FakeContext()))
    except PermanentError:
        asked = [kind for kind in kinds if kind not in UNASKED]
        assert kinds.count(Kind.CONFIGURATION) >= min(3, len(asked))
        return
    names = ("sent", "failed", "pruned", "retrying", "skipped", "expired")
    assert sum(getattr(result, name) for name in names) == result.total == len(kinds)
    assert sum(sum(counts.values()) for counts in result.origins.values()) == len(kinds)
