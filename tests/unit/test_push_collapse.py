"""Several events for one user become one push, over fakes."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from pydantic import ValidationError

from processors.push.delivery import Kind
from processors.push.payload import BatchPayload, FollowUpPayload, PushPayload
from processors.push.result import PushResult
from tests.support.push_fakes import NOW
from tests.support.push_line import COLLAPSE, Line, push


async def test_several_events_become_one_push() -> None:
    """The first job waits and sends for all, with the newest payload and the template; the others are done at once."""
    line = Line()
    waits = await line.run(1)
    others = [await line.run(n) for n in (2, 3)]
    line.clock.now += 60
    result = await line.run(1)

    assert 60 == waits
    assert [PushResult(collapsed=0)] * 2 == others
    assert [{"title": "General", "body": "3 new messages in General", "url": "/m/3"}] == line.sent
    assert isinstance(result, PushResult)
    assert (3, 1) == (result.collapsed, result.sent)


async def test_a_single_event_is_sent_as_itself() -> None:
    """Once its window is over."""
    line = Line()
    await line.run(1)
    line.clock.now += 60
    await line.run(1)

    assert [{"title": "General", "body": "message 1", "url": "/m/1"}] == line.sent


async def test_users_and_keys_are_apart() -> None:
    """Each has a window of its own."""
    line = Line()
    jobs = {1: push(1), 2: push(2, user="2"), 3: push(3, key="random")}
    assert [60, 60, 60] == [await line.run(n, job) for n, job in jobs.items()]
    line.clock.now += 60
    for n, job in jobs.items():
        await line.run(n, job)

    assert ["message 1", "message 2", "message 3"] == [each["body"] for each in line.sent]


@pytest.mark.parametrize(
    ("cancelled", "bodies"),
    [
        (["1"], ["2 new messages in General"]),
        (["1", "3"], ["message 2"]),
        (["2", "3"], ["message 1"]),
        (["1", "2", "3"], []),
    ],
    ids=["the first", "all but one", "all but the first", "all"],
)
async def test_cancelled_events_do_not_count(cancelled: list[str], bodies: list[str]) -> None:
    """Also the event of the job that sends for the others."""
    line = Line()
    for n in (1, 2, 3):
        await line.run(n, push(n, cancel_key=str(n)))
    line.clock.now += 1
    for key in cancelled:
        await line.board.cancel(key, 3600)
    line.clock.now += 59
    result = await line.run(1, push(1, cancel_key="1"))

    assert bodies == [each["body"] for each in line.sent]
    assert isinstance(result, PushResult)
    assert (3 - len(cancelled), not bodies) == (result.collapsed, result.cancelled)


async def test_what_was_said_after_the_room_was_read_is_sent() -> None:
    """All events have one cancel key, and only those before the call are taken back."""
    line = Line()
    for n in (1, 2):
        await line.run(n, push(n, cancel_key="room"))
    line.clock.now += 1
    await line.board.cancel("room", 3600)
    line.clock.now += 1
    await line.run(3, push(3, cancel_key="room"))
    line.clock.now += 58
    await line.run(1, push(1, cancel_key="room"))

    assert ["message 3"] == [each["body"] for each in line.sent]


async def test_a_follow_up_sends_the_collapsed_message() -> None:
    """It is no event itself, and is taken back with the newest one."""
    line = Line({1: Kind.TRANSIENT})
    for n in (1, 2):
        await line.run(n, push(n, cancel_key=f"m{n}"))
        line.clock.now += 1
    line.clock.now += 60
    await line.run(1, push(1, cancel_key="m1"))

    [added] = line.contexts[1].enqueued.values()
    follow_up = FollowUpPayload.model_validate(added.data)
    assert {"title": "General", "body": "2 new messages in General", "url": "/m/2"} == follow_up.payload.given
    assert "collapse" not in added.data["options"]
    assert ("m2", NOW + 1) == (follow_up.options.cancel_key, follow_up.since)


@pytest.mark.parametrize(
    ("payload", "template", "shown"),
    [
        (
            {"title": "a", "body": "b", "tag": "t"},
            {"title": "{{ count }} new", "data": ["{{count}}", 1], "app_badge": "{{count}}"},
            {"title": "2 new", "body": "b", "tag": "t", "data": ["2", 1], "app_badge": "2"},
        ),
        (
            {"web_push": 8030, "notification": {"title": "a", "navigate": "/"}},
            "{{count}} {{name}} {%",
            {"web_push": 8030, "notification": {"title": "a", "navigate": "/", "body": "2 {{name}} {%"}},
        ),
        ('{"title": "a"}', "{{count}}", {"title": "a", "body": "2"}),
    ],
    ids=["fields", "declarative", "a text"],
)
async def test_templates(payload: Any, template: Any, shown: dict[str, Any]) -> None:
    """A text is the body; fields replace the payload's. Nothing but {{count}} means anything."""
    line = Line()
    options = {"collapse": COLLAPSE | {"template": template}}
    job = PushPayload.model_validate({"userId": 1, "payload": payload, "options": options})
    for n in (1, 2):
        await line.run(n, job)
    line.clock.now += 60
    await line.run(1, job)

    assert [shown] == line.sent


@pytest.mark.parametrize(
    "collapse",
    [
        {"template": {"url": "javascript:alert(1)"}},
        {"template": {"actions": "none"}},
        {"template": None},
        {"window": 0},
        {"window": 86_401},
        {"key": ""},
        {"every": 5},
    ],
    ids=str,
)
def test_a_wrong_collapse_is_refused(collapse: dict[str, Any]) -> None:
    """When the job is added by the API, and before an event is lost in a gathering. The values are not repeated."""
    with pytest.raises(ValidationError) as caught:
        push(1, **collapse)

    assert "alert" not in str([fault["msg"] for fault in caught.value.errors()])


def test_a_batch_does_not_collapse() -> None:
    """It would need a window for each of its users."""
    with pytest.raises(ValidationError, match="add a push-notification for each user"):
        BatchPayload.model_validate({"all": True, "payload": {"title": "t"}, "options": {"collapse": COLLAPSE}})


class Killed(BaseException):
    """The worker is gone."""


class Killer:
    """Kills the worker at step `at`, before the step or after it. Steps are the calls to Redis and push services."""

    def __init__(self, line: Line, at: int, *, is_done: bool) -> None:
        self.steps = 0
        self._at = at
        self._is_done = is_done
        for name in ("gather", "cancelled", "forget"):
            setattr(line.board, name, self._watched(getattr(line.board, name)))
        line.sender.send = self._watched(line.sender.send)  # type: ignore[method-assign]

    def _watched(self, call: Any) -> Any:
        async def run(*given: Any) -> Any:
            is_now = self.steps == self._at
            self.steps += 1
            if is_now and not self._is_done:
                raise Killed
            got = await call(*given)
            if is_now:
                raise Killed
            return got

        return run


@pytest.mark.parametrize("is_done", [False, True], ids=["before a step", "after a step"])
async def test_no_event_is_lost_or_doubled_by_a_kill(is_done: bool) -> None:
    """The worker is killed at each step in turn, and another one runs its jobs again.

    There is a second copy of the same message only after a kill between the push service's answer and the next step.
    """
    copies = []
    for at in itertools.count():
        line = Line()
        killer = Killer(line, at, is_done=is_done)
        await to_the_end(line, jobs=3)
        assert {"3 new messages in General"} == {each["body"] for each in line.sent}, at
        copies.append(len(line.sent))
        if at > killer.steps:
            break

    assert len(copies) > 6
    assert len(copies) + 1 == sum(copies)


async def to_the_end(line: Line, jobs: int) -> None:
    """Run all jobs until they are done; one whose worker is killed runs again."""
    waiting = list(range(jobs))
    while waiting:
        n = waiting.pop(0)
        try:
            result = await line.run(n)
        except Killed:
            waiting.insert(0, n)
        else:
            if not isinstance(result, PushResult):
                waiting.append(n)
        if waiting == [0]:
            line.clock.now += 60
