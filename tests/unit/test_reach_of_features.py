"""E-mails and notifications in the app to users who do not want them, or not yet."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from processors.email.processor import SendEmail
from processors.email.result import EmailResult
from processors.notifications.payload import NotificationResult
from processors.notifications.processor import UserNotification
from processors.reach.reach import Reach, open_reach
from processors.reach.settings import ReachSettings
from queue_lib.errors import ConfigurationError
from queue_lib.feature import Served
from queue_lib.outcome import Retry, Snooze
from storage.ports import Preference
from tests.support import notification_fakes
from tests.support.email_fakes import ADA, GRACE, MailJob, World, deferred
from tests.support.push_fakes import FakePreferences

NOW = 1_800_000_000.0  # 08:00 in UTC
MORNING = Preference(quiet_from="06:00", quiet_to="12:00")


def mail_to(*rows: Preference, world: World | None = None, **payload: Any) -> tuple[World, MailJob]:
    """A mail to a user with these preferences."""
    world = world or World()
    world.now = NOW
    reach = Reach(FakePreferences({"ada": rows}), lambda: world.now, lambda: 0.5)
    world.processor = SendEmail(replace(world.dependencies, reach=reach))
    return world, world.mail(ADA, GRACE, **{"userId": "ada", **payload})


async def test_a_mail_that_is_switched_off_is_not_sent() -> None:
    """The result says so."""
    world, job = mail_to(Preference("email", "digest", enabled=False), type="digest", idempotencyKey="k")

    result = await job.run()

    assert isinstance(result, EmailResult)
    assert ("muted", (), []) == (result.skipped, result.accepted, world.mailer.asked)
    assert {"muted": 2} == job.counts()


async def test_a_mail_waits_until_quiet_hours_end() -> None:
    """No attempt is used, and then it is sent once."""
    world, job = mail_to(MORNING)

    outcome = await job.run()
    assert isinstance(outcome, Snooze)
    assert outcome.delay == 4 * 3600 + 30
    world.now += outcome.delay
    assert isinstance(await job.run(), EmailResult)
    assert [(ADA, GRACE)] == world.mailer.sent


async def test_a_mail_may_be_dropped_in_quiet_hours() -> None:
    """If it says so."""
    _, job = mail_to(MORNING, quiet="drop")

    result = await job.run()

    assert isinstance(result, EmailResult)
    assert "muted" == result.skipped


async def test_a_password_is_always_reset() -> None:
    """Nobody can do without that mail. A mail without a user has nobody's preferences."""
    for changes in ({"name": "password_reset"}, {"name": "generic", "user": None}):
        world, job = mail_to(replace(MORNING, enabled=False), **({"userId": None} if "user" in changes else {}))
        job.context.job = replace(job.context.job, name=str(changes["name"]))
        assert isinstance(await job.run(), EmailResult)
        assert [(ADA, GRACE)] == world.mailer.sent


async def test_a_mail_that_some_have_is_sent_to_the_rest() -> None:
    """What has begun is not muted any more."""
    preferences = FakePreferences({})
    world, job = mail_to(world=World([deferred(GRACE)]))
    world.processor = SendEmail(replace(world.dependencies, reach=Reach(preferences, lambda: NOW)))

    assert isinstance(await job.run(), Retry)
    preferences.rows["ada"] = [Preference(enabled=False)]
    result = await job.run()

    assert isinstance(result, EmailResult)
    assert (ADA, GRACE) == result.accepted


async def test_a_user_who_does_not_want_it_in_the_app_gets_no_row() -> None:
    """The push follows its own preferences, so it is added, with the type. Quiet hours do not matter to a row."""
    world = notification_fakes.World()
    rows = {"ada": [Preference("IN_APP", "like", enabled=False)], "bob": [replace(MORNING, channel="")]}
    dependencies = replace(world.processor._dependencies, reach=Reach(FakePreferences(rows), lambda: NOW))
    world.processor = UserNotification(dependencies)

    result = await world.run(userIds=["ada", "bob"], type="like", channels=["in-app", "push"])

    assert (1, 1) == (result.created, result.muted)
    assert ["notifications:bob"] == [channel for channel, _ in world.context.board.published]
    [push] = world.context.enqueued.values()
    assert {"type": "like"} == push.data["options"]
    assert {"ada", "bob"} == set(push.data["userIds"])
    alone = await world.run(type="like")
    assert NotificationResult(muted=1) == alone


def test_preferences_need_a_database() -> None:
    """A worker that has none says so at start; without the setting nobody asks."""

    def served(**environment: Any) -> Served:
        return Served(
            worker=None,  # type: ignore[arg-type]  # nobody reads it
            queues=(),
            features=(),
            settings={ReachSettings: ReachSettings.model_construct(**environment)},
        )

    assert open_reach(None, served(preference_table=None)) is None  # type: ignore[arg-type]  # nobody asks it
    with pytest.raises(ConfigurationError, match="PREFERENCE_TABLE: needs DATABASE_URL"):
        open_reach(None, served(preference_table="NotificationPreference"))  # type: ignore[arg-type]  # nobody asks it
