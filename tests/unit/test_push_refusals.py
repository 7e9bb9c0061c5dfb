"""`/readyz` names the push services that refuse this server, and no others."""

from __future__ import annotations

import pytest

from processors.push.delivery import Kind
from processors.push.refusals import QUIET, REMEMBERED, Refusals
from queue_lib.errors import PushmillError
from tests.support.push_fakes import Clock, FakeSender

APPLE, GOOGLE = "https://web.push.apple.com", "https://fcm.googleapis.com"


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def refusals(clock: Clock) -> Refusals:
    """None yet."""
    return Refusals(clock)


async def test_a_push_service_that_refuses_is_named(refusals: Refusals) -> None:
    """It alone: not one that took a message, nor one for which only a subscription could not be used."""
    refusals.note({APPLE: {Kind.CONFIGURATION: 2, Kind.UNREADABLE_KEYS: 1}, GOOGLE: {Kind.SENT: 1}})
    refusals.note(
        {"https://a.test": {Kind.UNREADABLE_KEYS: 1}, "https://b.test": {Kind.CONFIGURATION: 1, Kind.GONE: 1}}
    )

    with pytest.raises(PushmillError, match=rf"^push services refuse this server: {APPLE}$"):
        await refusals.check(FakeSender())


async def test_a_refusal_is_forgotten(refusals: Refusals, clock: Clock) -> None:
    """After two minutes without another one, in which a job that is put off asks again."""
    refusals.note({APPLE: {Kind.CONFIGURATION: 1}})
    clock.now += REMEMBERED - 1
    with pytest.raises(PushmillError, match=APPLE):
        await refusals.check(FakeSender())
    clock.now += 1

    await refusals.check(FakeSender())


@pytest.mark.parametrize(("taken", "is_named"), [(-QUIET - 1, True), (-QUIET + 1, False), (1, False)])
async def test_a_push_service_that_takes_messages_refuses_subscriptions_only(
    refusals: Refusals, clock: Clock, taken: float, *, is_named: bool
) -> None:
    """A message that it took up to a minute before the refusal, or after it, says so."""
    refusals.note({APPLE: {Kind.CONFIGURATION: 1}})
    sender = FakeSender()
    sender.taken_at = clock.now + taken

    if is_named:
        with pytest.raises(PushmillError, match=APPLE):
            await refusals.check(sender)
    else:
        await refusals.check(sender)
