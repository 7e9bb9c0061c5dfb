"""Jobs with one idempotency key send one mail within 24 hours."""

from __future__ import annotations

from typing import Any

import pytest

from processors.email.mail import MailDeferredError, MailRefusedError, UncertainError
from processors.email.result import EmailResult
from queue_lib.outcome import Dead, Retry, Snooze
from tests.support.email_fakes import ADA, GRACE, World, deferred

KEY: dict[str, Any] = {"idempotencyKey": "order 7"}


def is_skipped(outcome: object) -> bool:
    """Whether the job is done and has sent nothing."""
    return isinstance(outcome, EmailResult) and outcome.skipped == "already sent" and outcome.accepted == ()


async def test_a_second_job_sends_nothing_for_a_day() -> None:
    """It is done; its Message-ID is the same. Another key is another mail."""
    world = World()
    first = await world.mail(ADA, job_id="1", **KEY).run()
    second = world.mail(ADA, job_id="2", **KEY)
    skipped = await second.run()

    assert is_skipped(skipped)
    assert isinstance(first, EmailResult)
    assert isinstance(skipped, EmailResult)
    assert first.message_id == skipped.message_id
    assert {"alreadySent": 1} == second.counts()
    assert not is_skipped(await world.mail(ADA, job_id="3", idempotencyKey="order 8").run())
    world.now += 24 * 3600 + 1
    assert not is_skipped(await world.mail(ADA, job_id="4", **KEY).run())
    assert 3 == len(world.mailer.sent)


async def test_the_job_itself_is_not_skipped() -> None:
    """A run that follows a retry, or the job's replay."""
    world = World(MailDeferredError("451 later"))
    job = world.mail(ADA, **KEY)
    assert isinstance(await job.run(), Retry)
    assert not is_skipped(await job.run())
    assert not is_skipped(await job.run())


@pytest.mark.parametrize("after_data", [True, False], ids=["after DATA", "before DATA"])
async def test_a_second_job_waits_while_the_first_one_is_at_it(*, after_data: bool) -> None:
    """Until it is known whether the first one has sent the mail."""
    world = World(MailDeferredError("451 later"), after_data=after_data)
    first, second = world.mail(ADA, job_id="1", **KEY), world.mail(ADA, job_id="2", **KEY)
    assert isinstance(await first.run(), Retry)

    waiting = await second.run()
    assert isinstance(waiting, Snooze)
    assert "another job with its idempotencyKey is sending the mail" == waiting.reason
    await first.run()
    assert is_skipped(await second.run())


@pytest.mark.parametrize(
    ("error", "is_sent"),
    [(MailRefusedError("554 no"), False), (UncertainError("the connection broke"), True)],
    ids=["refused", "uncertain"],
)
async def test_a_dead_job_leaves_the_mail_to_the_next(error: Exception, *, is_sent: bool) -> None:
    """Unless the server may have it."""
    world = World(error)
    assert isinstance(await world.mail(ADA, job_id="1", attempts=1, **KEY).run(), Dead)
    assert is_sent == is_skipped(await world.mail(ADA, job_id="2", **KEY).run())


@pytest.mark.parametrize("ending", ["expired", "suppressed"])
async def test_a_job_that_sent_nothing_leaves_the_mail_to_the_next(ending: str) -> None:
    """A mail that had expired, say, and is added again with a later end."""
    world = World()
    if ending == "suppressed":
        world.suppressions.rows = {ADA: "550"}
    first = await world.mail(ADA, job_id="1", expiresAt=int(world.now * 1000) + 1 - (ending == "expired"), **KEY).run()
    assert isinstance(first, EmailResult)
    assert ending == first.skipped

    world.suppressions.rows.clear()
    assert not is_skipped(await world.mail(ADA, job_id="2", **KEY).run())
    assert 1 == len(world.mailer.sent)


async def test_who_has_the_mail_gets_no_other_from_a_second_job() -> None:
    """Although the first job waits for another recipient, for hours where the worker was down."""
    world = World([deferred(GRACE)])
    first, second = world.mail(ADA, GRACE, job_id="1", **KEY), world.mail(ADA, GRACE, job_id="2", **KEY)
    assert isinstance(await first.run(), Retry)

    world.now += 2 * 3600
    assert isinstance(await second.run(), Snooze)
    await first.run()
    assert is_skipped(await second.run())
    assert [(ADA,), (GRACE,)] == world.mailer.sent


async def test_a_refusal_does_not_take_back_what_somebody_has() -> None:
    """The rest of the mail is refused for now, and expires."""
    world = World([deferred(GRACE)], MailDeferredError("451 later"))
    first = world.mail(ADA, GRACE, job_id="1", expiresAt=int(world.now * 1000) + 60_000, **KEY)
    assert isinstance(await first.run(), Retry)
    assert isinstance(await first.run(), Retry)
    world.now += 61
    assert isinstance(await first.run(), EmailResult)

    assert is_skipped(await world.mail(ADA, GRACE, job_id="2", **KEY).run())
