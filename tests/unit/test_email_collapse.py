"""Mails of several events become one, over fakes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from processors.email.mail import MailDeferredError
from processors.email.payload import EmailPayload
from processors.email.processor import SendEmail
from processors.email.result import EmailResult
from processors.email.summary import summed_up
from processors.reach.reach import Reach
from queue_lib.outcome import Retry, Snooze
from storage.ports import Preference
from tests.support.email_fakes import ADA, GRACE, MailJob, World
from tests.support.push_fakes import FakePreferences

COLLAPSE = {"key": "general", "window": 60, "template": "{{count}} new messages in General"}


def event(world: World, n: int, to: str = ADA, **fields: Any) -> MailJob:
    """The job of message n."""
    return world.mail(to, job_id=str(n), **{"subject": f"message {n}", "collapse": COLLAPSE, **fields})


def collapsed_of(result: Any) -> tuple[int | None, str | None]:
    """How many events a result is for, and why nothing was sent."""
    assert isinstance(result, EmailResult)
    return result.collapsed, result.skipped


async def test_several_events_become_one_mail() -> None:
    """The first job waits and sends for all, with the newest content and the template; the others are done at once."""
    world = World()
    first, *others = [event(world, n) for n in (1, 2, 3)]
    waits = await first.run()
    assert isinstance(waits, Snooze)
    assert 60 == waits.delay
    assert [(0, "collapsed")] * 2 == [collapsed_of(await job.run()) for job in others]
    assert {"collapsed": 1} == others[0].counts()
    world.now += 60

    assert (3, None) == collapsed_of(await first.run())
    assert (["3 new messages in General"], [(ADA,)]) == (world.subjects, world.mailer.sent)


async def test_a_single_event_is_sent_as_itself() -> None:
    """Once its window is over. Recipients and keys are apart."""
    world = World()
    jobs = [event(world, 1), event(world, 2, GRACE), event(world, 3, collapse=COLLAPSE | {"key": "hall"})]
    assert all([isinstance(await job.run(), Snooze) for job in jobs])
    world.now += 60
    assert [(1, None)] * 3 == [collapsed_of(await job.run()) for job in jobs]

    assert ["message 1", "message 2", "message 3"] == world.subjects


async def test_a_mail_that_is_put_off_is_for_the_same_events() -> None:
    """Events that come meanwhile are another mail."""
    world = World(MailDeferredError("451 4.3.0 later"))
    first, second, third = (event(world, n) for n in (1, 2, 3))
    await first.run(), await second.run()
    world.now += 60
    assert isinstance(await first.run(), Retry)
    assert isinstance(await third.run(), Snooze)

    assert (2, None) == collapsed_of(await first.run())
    assert ["2 new messages in General"] * 2 == world.subjects


@pytest.mark.parametrize(
    ("cancelled", "subjects"), [(["3"], ["2 new messages in General"]), (["1", "2"], ["message 3"]), (list("123"), [])]
)
async def test_cancelled_events_do_not_count(cancelled: list[str], subjects: list[str]) -> None:
    """Also the event of the job that sends for the others."""
    world = World()
    first, *others = [event(world, n, cancelKey=str(n)) for n in (1, 2, 3)]
    for job in (first, *others):
        await job.run()
    for key in cancelled:
        await world.board.cancel(key, 3600)
    world.now += 60

    expected = (0, "cancelled") if not subjects else (3 - len(cancelled), None)
    assert expected == collapsed_of(await first.run())
    assert subjects == world.subjects


async def test_what_was_said_after_the_room_was_read_is_sent() -> None:
    """All events have one cancel key, and only those before the call are taken back."""
    world = World()
    first = event(world, 1, cancelKey="room")
    await first.run()
    world.now += 1
    await world.board.cancel("room", 3600)
    world.now += 1
    await event(world, 2, cancelKey="room").run()
    world.now += 58

    assert (1, None) == collapsed_of(await first.run())
    assert ["message 2"] == world.subjects


async def test_a_night_is_one_mail() -> None:
    """In the user's quiet hours the window lasts until they end."""
    world = World()
    preferences = FakePreferences({"ada": [Preference(quiet_from="06:00", quiet_to="12:00")]})  # it is 08:00
    world.processor = SendEmail(replace(world.dependencies, reach=Reach(preferences, lambda: world.now, lambda: 0.5)))
    first = event(world, 1, userId="ada")
    waits = await first.run()
    assert isinstance(waits, Snooze)
    assert 4 * 3600 + 30 == waits.delay
    world.now += waits.delay - 1
    assert (0, "collapsed") == collapsed_of(await event(world, 2, userId="ada").run())
    world.now += 1

    assert (2, None) == collapsed_of(await first.run())


@pytest.mark.parametrize(
    ("newest", "template", "expected"),
    [
        ({"html": "<p>a</p>", "text": "a"}, {"text": "{{count}}"}, {"html": "<p>a</p>", "text": "2"}),
        ({"body": "<p>a</p>", "text": "a"}, {"html": "<b>{{count}}</b>"}, {"html": "<b>2</b>"}),
        (
            {"template": "one", "variables": {"name": "Ada", "n": 1}},
            {"template": "many", "variables": {"n": "{{count}}"}},
            {"template": "many", "variables": {"name": "Ada", "n": "2"}},
        ),
    ],
    ids=["a text", "html for both", "another template"],
)
def test_templates(newest: dict[str, Any], template: dict[str, Any], expected: dict[str, Any]) -> None:
    """A new content replaces the old one and its text, and variables are added."""
    data = {"to": ADA, "subject": "Hello", **newest, "collapse": COLLAPSE | {"template": template}}
    payload = EmailPayload.model_validate(data)
    assert payload.collapse is not None
    one, two = (summed_up(data, payload.collapse, count) for count in (1, 2))

    assert data == one
    assert {"to": ADA, "subject": "Hello", **expected, "collapse": data["collapse"]} == two
    assert EmailPayload.model_validate(two)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"collapse": COLLAPSE | {"template": {"to": "eve@example.com"}}}, "template: to: it may have subject, html"),
        ({"collapse": COLLAPSE | {"template": {"unsubscribeUrl": "javascript:"}}}, "makes no mail: unsubscribeUrl"),
        ({"collapse": COLLAPSE | {"template": {"subject": None}}}, "makes no mail"),
        ({"idempotencyKey": "k"}, "collapse and idempotencyKey: give one of them"),
    ],
)
def test_a_wrong_collapse_is_refused(fields: dict[str, Any], reason: str) -> None:
    """When the job is added by the API, and before an event is lost in a gathering. The values are not repeated."""
    with pytest.raises(ValidationError, match=reason) as caught:
        EmailPayload.model_validate(event(World(), 1, **fields).context.job.data)

    assert "eve@" not in str([fault["msg"] for fault in caught.value.errors()])
