"""A mail is sent once to each recipient, whatever the server says: over all runs of its job."""

from __future__ import annotations

from typing import Any

import pytest

from processors.email.mail import (
    DroppedError,
    MailDeferredError,
    MailRefusedError,
    SenderRefusedError,
    ServerAwayError,
    UncertainError,
)
from processors.email.result import EmailResult
from queue_lib.errors import BrokerUnavailableError
from queue_lib.outcome import Dead, Retry, Snooze
from tests.support.email_fakes import ADA, ALAN, GRACE, World, deferred, rejected


async def test_a_mail_is_sent_to_all_in_one_step() -> None:
    """To, Cc and Bcc, each once; the Message-ID is made of the job."""
    world = World()
    job = world.mail(ADA, GRACE, ADA, cc=ALAN)
    result = await job.run()

    assert isinstance(result, EmailResult)
    assert ((ADA, GRACE, ALAN), (), "250 2.0.0 queued", 1, None) == (
        result.accepted,
        result.rejected,
        result.response,
        result.attempts,
        result.skipped,
    )
    assert [(ADA, GRACE, ALAN)] == world.mailer.sent
    assert [result.message_id] == world.composed
    assert result.message_id.endswith("@app.example>")
    assert {"sent": 3} == job.counts()


async def test_recipients_who_are_put_off_are_tried_alone() -> None:
    """After a minute, then five: greylisting wants that. Nobody gets a second copy."""
    world = World([deferred(GRACE), rejected(ALAN)], [deferred(GRACE)])
    job = world.mail(ADA, GRACE, ALAN)

    first, second, result = await job.run(), await job.run(), await job.run()

    assert isinstance(first, Retry)
    assert isinstance(second, Retry)
    assert [60.0, 300.0] == [first.delay, second.delay]
    assert "1 of 3 recipients were put off: 451 4.7.1 <address>: greylisted" in first.failure.reason
    assert [(ADA, GRACE, ALAN), (GRACE,), (GRACE,)] == world.mailer.asked
    assert [(ADA,), (GRACE,)] == world.mailer.sent
    assert isinstance(result, EmailResult)
    assert ((ADA, GRACE), [ALAN], 3) == (result.accepted, [each.address for each in result.rejected], result.attempts)
    assert 1 == len(set(world.composed))
    assert {"sent": 2, "deferred": 2, "rejected": 1} == job.counts()


async def test_a_recipient_who_is_put_off_to_the_end_is_told() -> None:
    """The job is done, because somebody has the mail."""
    world = World(*[[deferred(GRACE)]] * 2)
    job = world.mail(ADA, GRACE, attempts=2)

    assert isinstance(await job.run(), Retry)
    result = await job.run()

    assert isinstance(result, EmailResult)
    assert (ADA,) == result.accepted
    assert [(GRACE, 451, "4.7.1")] == [(each.address, each.code, each.enhanced) for each in result.rejected]


async def test_a_job_that_nobody_has_got_is_dead() -> None:
    """With the server's words. A replay tries again."""
    world = World([rejected(ADA), rejected(GRACE)])
    job = world.mail(ADA, GRACE)
    outcome = await job.run()

    assert isinstance(outcome, Dead)
    assert "no recipient was accepted: 550 5.1.1 <address>: no such user" == outcome.failure.reason
    assert {} == job.context.kept
    assert isinstance(await job.run(), EmailResult)


@pytest.mark.parametrize(
    ("error", "delay", "count"),
    [
        (ServerAwayError("the mail server does not answer", 15.0), 15.0, "away"),
        (SenderRefusedError("535 5.7.8 bad password", 300.0), 300.0, "refused"),
    ],
    ids=["away", "refused"],
)
@pytest.mark.parametrize("after_data", [True, False], ids=["after DATA", "before DATA"])
async def test_a_server_that_is_away_or_refuses_us_buries_nothing(
    error: Exception, delay: float, count: str, *, after_data: bool
) -> None:
    """The job waits and uses no attempt; nothing was sent, so the next run is certain."""
    world = World(error, after_data=after_data, uncertain="dead")
    job = world.mail(ADA, attempts=1)

    outcome = await job.run()
    assert isinstance(outcome, Snooze)
    assert delay == outcome.delay
    assert {count: 1} == job.counts()
    assert isinstance(await job.run(), EmailResult)


async def test_nothing_is_composed_while_the_server_is_away() -> None:
    """The mailer knows it beforehand."""
    world = World()
    world.mailer.trouble = ServerAwayError("the mail server does not answer", 15.0)
    assert isinstance(await world.mail(ADA).run(), Snooze)
    assert [] == world.composed


@pytest.mark.parametrize("error", [SenderRefusedError, DroppedError], ids=["refused", "dropped"])
async def test_a_refusal_of_us_ends_a_mail_after_a_day(error: type[SenderRefusedError | DroppedError]) -> None:
    """Or of its connections. Counted from the first one; a replay has another day."""
    world = World(*[error("535 5.7.8 bad password", 300.0) for _ in range(4)], after_data=False)
    job = world.mail(ADA, attempts=1)

    assert isinstance(await job.run(), Snooze)
    world.now += 24 * 3600 - 1
    assert isinstance(await job.run(), Snooze)
    world.now += 1
    outcome = await job.run()
    assert isinstance(outcome, Dead)
    assert "535 5.7.8 bad password; it has done so for a day" == outcome.failure.reason
    assert isinstance(await job.run(), Snooze)


async def test_a_mail_whose_connections_are_dropped_waits_longer_and_longer() -> None:
    """Twice as long each time, up to five minutes: no server likes to be asked every 15 seconds for a day."""
    world = World(*[DroppedError("the connection was lost", 15.0) for _ in range(8)], after_data=False)
    job, delays = world.mail(ADA), []
    for _ in range(8):
        outcome = await job.run()
        assert isinstance(outcome, Snooze)
        delays.append(outcome.delay)
        world.now += outcome.delay
    assert [15.0, 15.0, 30.0, 60.0, 120.0, 240.0, 300.0, 300.0] == delays


async def test_a_mail_that_is_refused_is_dead() -> None:
    """With the server's words."""
    job = World(MailRefusedError("552 5.3.4 too large")).mail(ADA)
    outcome = await job.run()
    assert isinstance(outcome, Dead)
    assert "552 5.3.4 too large" == outcome.failure.reason
    assert {"failed": 1} == job.counts()


async def test_a_mail_that_is_put_off_waits_for_a_minute() -> None:
    """The server may be greylisting the sender."""
    outcome = await World(MailDeferredError("451 4.3.0 later")).mail(ADA).run()
    assert isinstance(outcome, Retry)
    assert 60.0 == outcome.delay


@pytest.mark.parametrize(
    "error", [MailRefusedError("554 5.7.1 no spam"), MailDeferredError("451 4.3.0 later")], ids=["refused", "put off"]
)
async def test_a_mail_that_somebody_has_is_not_dead(error: Exception) -> None:
    """If the others can't have it, the result says so."""
    world = World([deferred(GRACE)], error)
    job = world.mail(ADA, GRACE, attempts=2)

    assert isinstance(await job.run(), Retry)
    result = await job.run()

    assert isinstance(result, EmailResult)
    assert (ADA,) == result.accepted
    assert [(GRACE, str(error)[:3], str(error)[4:9], str(error))] == [
        (each.address, str(each.code), each.enhanced, each.message) for each in result.rejected
    ]


async def test_a_lost_answer_is_sent_again() -> None:
    """By default: a second copy is better than none."""
    world = World(UncertainError("the connection broke"))
    job = world.mail(ADA)

    assert isinstance(await job.run(), Retry)
    assert isinstance(await job.run(), EmailResult)
    assert [(ADA,), (ADA,)] == world.mailer.sent
    assert {"uncertain": 1, "sent": 1} == job.counts()


@pytest.mark.parametrize("is_killed", [True, False], ids=["killed", "lost"])
async def test_a_lost_answer_may_end_the_job(*, is_killed: bool) -> None:
    """EMAIL_UNCERTAIN=dead: nobody gets two copies. An operator's replay sends it."""
    world = World(KeyboardInterrupt() if is_killed else UncertainError("the connection broke"), uncertain="dead")
    job = world.mail(ADA)
    if is_killed:
        with pytest.raises(KeyboardInterrupt):
            await job.run()

    outcome = await job.run()
    assert isinstance(outcome, Dead)
    assert "EMAIL_UNCERTAIN says not to send it again" in outcome.failure.reason
    assert [(ADA,)] == world.mailer.sent
    assert {"uncertain": 1} == job.counts()
    assert isinstance(await job.run(), EmailResult)


async def test_a_run_after_a_crash_sends_to_nobody_twice() -> None:
    """The server's answer was noted, and the end of the job was not recorded."""
    world = World([rejected(GRACE)])
    job = world.mail(ADA, GRACE)
    first = await job.run()
    assert isinstance(first, EmailResult)

    crashed = world.mail(ADA, GRACE)
    world.mailer.script = [[rejected(GRACE)]]
    world.suppressions.rows.clear()
    world.suppressions.fault = BrokerUnavailableError("crashed here")
    assert isinstance(await crashed.run(), Snooze)
    world.suppressions.fault = None
    again = await crashed.run()

    assert isinstance(again, EmailResult)
    assert first == again
    assert [(ADA,), (ADA,)] == world.mailer.sent


async def test_notes_that_can_not_be_written_stop_the_mail() -> None:
    """Before it is sent: else a later run would not know of it."""
    world = World()
    job = world.mail(ADA)
    job.context.fault = BrokerUnavailableError("away")
    assert isinstance(await job.run(), Snooze)
    assert [] == world.mailer.sent


async def test_an_expired_mail_is_not_sent() -> None:
    """A code that is worth nothing any more; the job is done."""
    world = World()
    job = world.mail(ADA, expiresAt=int(world.now * 1000))
    result = await job.run()

    assert isinstance(result, EmailResult)
    assert ("expired", ()) == (result.skipped, result.accepted)
    assert [] == world.composed
    assert {"expired": 1} == job.counts()
    assert isinstance(await world.mail(ADA, expiresAt=int(world.now * 1000) + 1).run(), EmailResult)
    assert 1 == len(world.mailer.sent)


@pytest.mark.parametrize("reason", ["expired", "cancelled"])
async def test_a_mail_that_waits_too_long_for_a_connection_is_not_sent(reason: str) -> None:
    """It is asked once more when the server has accepted its recipients. Its idempotency key is free again."""
    world = World()
    fields: dict[str, Any] = {"expiresAt": int(world.now * 1000) + 1000, "cancelKey": "order:1", "idempotencyKey": "k"}
    job = world.mail(ADA, **fields)

    async def hang() -> None:
        if reason == "expired":
            world.now += 1
        else:
            await job.context.board.cancel("order:1", 60)

    world.mailer.check = hang  # type: ignore[method-assign]  # it comes after the first look, and before the message
    result = await job.run()

    assert isinstance(result, EmailResult)
    assert (reason, (), {}) == (result.skipped, result.accepted, job.context.kept)
    assert ([(ADA,)], []) == (world.mailer.asked, world.mailer.sent)
    assert {reason: 1} == job.counts()
    assert isinstance(await world.mail(ADA, job_id="2", idempotencyKey="k").run(), EmailResult)
    assert 1 == len(world.mailer.sent)


async def test_a_cancelled_mail_is_not_sent() -> None:
    """Its key was cancelled while it waited; the job is done."""
    world = World()
    job = world.mail(ADA, cancelKey="order:1")
    await job.context.board.cancel("order:1", 60)
    result = await job.run()

    assert isinstance(result, EmailResult)
    assert ("cancelled", ()) == (result.skipped, result.accepted)
    assert [] == world.composed
    assert {"cancelled": 1} == job.counts()
    assert isinstance(await world.mail(ADA, cancelKey="order:2").run(), EmailResult)
    assert 1 == len(world.mailer.sent)


async def test_suppressed_addresses_get_nothing() -> None:
    """The others do, and the result names them. Without others the job is done, too."""
    world = World()
    world.suppressions.rows = {ADA: "550"}
    result = await world.mail(ADA.upper(), GRACE).run()
    assert isinstance(result, EmailResult)
    assert ((GRACE,), (ADA.upper(),), None) == (result.accepted, result.suppressed, result.skipped)

    job = world.mail(ADA)
    alone = await job.run()
    assert isinstance(alone, EmailResult)
    assert ((), (ADA,), "suppressed") == (alone.accepted, alone.suppressed, alone.skipped)
    assert {"suppressed": 1} == job.counts()
    assert 1 == len(world.composed)


@pytest.mark.parametrize(
    ("enhanced", "is_recorded"),
    [("5.1.1", True), ("5.1.10", True), ("5.7.1", False), ("5.2.2", False), ("", False)],
    ids=["no mailbox", "no mail server", "policy", "full", "unknown"],
)
async def test_bounces_are_recorded(enhanced: str, *, is_recorded: bool) -> None:
    """Those that say that the mailbox is not there; in lower case."""
    world = World([rejected("Bob@Example.com", enhanced)])
    await world.mail(ADA, "Bob@Example.com").run()
    rows = {"bob@example.com": f"550 {enhanced} <address>: no such user"} if is_recorded else {}
    assert rows == world.suppressions.rows


@pytest.mark.parametrize("kind", [MailRefusedError, MailDeferredError])
async def test_bounces_of_a_mail_that_is_refused_are_recorded(kind: type[MailRefusedError | MailDeferredError]) -> None:
    """The server has rejected a recipient before it refused the content."""
    error = kind("554 5.7.1 no spam")
    error.rejected = (rejected(ADA),)
    world = World(error)
    await world.mail(ADA, GRACE).run()
    assert [ADA] == list(world.suppressions.rows)


async def test_a_bounce_is_recorded_in_its_own_run() -> None:
    """Whatever becomes of the others later. One that a crash or an outage left out is recorded by the next run."""
    world = World([rejected(ADA), deferred(GRACE)], MailRefusedError("554 5.7.1 no spam"))
    job = world.mail(ADA, GRACE)
    world.suppressions.fault = BrokerUnavailableError("crashed here")
    assert isinstance(await job.run(), Snooze)
    world.suppressions.fault = None

    assert isinstance(await job.run(), Dead)
    assert [ADA] == list(world.suppressions.rows)

    world = World([rejected(ADA), deferred(GRACE)])
    assert isinstance(await world.mail(ADA, GRACE).run(), Retry)
    assert [ADA] == list(world.suppressions.rows)
