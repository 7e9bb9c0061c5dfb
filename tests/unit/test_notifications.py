"""Notifications in the app, over fakes: who is told what, on which channel, and once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from processors.features import FEATURES
from processors.notifications.payload import NotificationPayload, NotificationResult
from processors.notifications.processor import PAGE
from queue_lib.admin.admission import Admission
from queue_lib.errors import BrokerUnavailableError, PermanentError, SnoozeError, Trouble
from queue_lib.feature import jobs_of
from storage.errors import SchemaError, StorageAwayError
from tests.support.notification_fakes import World

TEXTS = st.text(st.characters(), min_size=1)  # lone surrogates, too
ADMISSION = Admission(jobs_of(FEATURES))


async def test_one_user_gets_a_row_and_a_live_message() -> None:
    """The message has the row's id, and how many rows the user has not read."""
    world = World()

    result = await world.run(type="success", body="You have mail", url="/mail", metadata={"n": 1})

    assert NotificationResult(id="row-0", created=1) == result
    [(user, notice)] = world.notifications.rows.values()
    assert ("ada", "Hello", "You have mail", "success") == (user, notice.title, notice.body, notice.type)
    assert ("/mail", {"n": 1}, None) == (notice.url, notice.metadata, notice.dedupe_key)
    [(channel, text)] = world.context.board.published
    assert "notifications:ada" == channel
    assert {"id": "row-0", "type": "success", "title": "Hello", "unread": 1} == json.loads(text)
    assert [("notifications", {"users": {"created": 1, "duplicate": 0, "unknown": 0}})] == world.context.counts
    assert {} == world.context.enqueued


async def test_a_second_run_adds_no_row_push_or_mail() -> None:
    """It says the live message again: the first run may have been killed before it."""
    world = World()
    job: dict[str, Any] = {"channels": ["in-app", "push", "email"], "email": "ada@example.com"}

    first, second = await world.run(**job), await world.run(**job)

    assert first == second
    assert 1 == len(world.notifications.rows)
    assert 2 == len(world.context.enqueued) == len(world.context.board.published)


async def test_several_users_get_a_row_each_and_one_batch() -> None:
    """Strangers and duplicates are counted; they get no push."""
    world = World()
    users = [*(f"u{number}" for number in range(120)), "stranger", "busy", "u1"]

    result = await world.run(userIds=users, dedupeKey="k", channels=["in-app", "push"])

    assert (120, 1, 1, None) == (result.created, result.unknown, result.duplicates, result.id)
    [batch] = world.context.enqueued.values()
    assert ("push-batch", users[:120]) == (batch.name, batch.data["userIds"])
    assert 120 == len(world.context.board.published)


async def test_a_user_who_has_not_read_it_is_left_in_peace() -> None:
    """The dedupeKey holds for all channels."""
    world = World()

    result = await world.run(userId="busy", dedupeKey="k", channels=["in-app", "push", "email"], email="b@example.com")

    assert NotificationResult(duplicates=1) == result
    assert ([], {}) == (world.context.board.published, world.context.enqueued)


async def test_pushes_and_mails_are_jobs_that_their_queues_take() -> None:
    """With the row's id as the push's tag, and an idempotency key for the mail."""
    world = World(addresses={"ada": "ada@example.com"}, app_url="https://app.example.com")

    result = await world.run(body="You have mail", url="/mail", channels=["in-app", "push", "email"])

    push, mail = world.context.enqueued.values()
    assert {"title": "Hello", "body": "You have mail", "url": "/mail", "tag": "row-0"} == push.data["payload"]
    assert ("ada", "ada", "ada@example.com") == (push.data["userId"], mail.data["userId"], mail.data["to"])
    assert ("Hello", "You have mail\n\nhttps://app.example.com/mail") == (mail.data["subject"], mail.data["text"])
    assert (push.job_id, mail.job_id, 1, 0) == (result.push, result.email, result.emails, result.without_address)
    assert ("push-notifications", "email") == (ADMISSION.queue_of(push), ADMISSION.queue_of(mail))


@given(TEXTS, st.one_of(st.just(""), TEXTS), st.sampled_from([None, "/x", "https://x.example/?a=b", "x y", "\n//h"]))
async def test_whatever_is_said_its_jobs_are_taken(title: str, body: str, url: str | None) -> None:
    """Texts may have any characters: half an emoji, line breaks, controls. None makes a push or a mail die."""
    world = World(addresses={"ada": "ada@example.com"}, app_url="https://app.example.com")
    try:
        await world.run(title=title, body=body, url=url, channels=["push", "email"])
    except ValidationError:
        assert "" == title.replace("\0", "")
        return

    assert ["push-notifications", "email"] == [ADMISSION.queue_of(job) for job in world.context.enqueued.values()]


async def test_a_cancelled_notification_tells_nobody() -> None:
    """Its push and its mail can be taken back with the same key, as long as they wait."""
    world = World()
    job: dict[str, Any] = {"channels": ["in-app", "push", "email"], "email": "ada@example.com", "cancelKey": 7}
    await world.run(**job)
    push, mail = (each.data for each in world.context.enqueued.values())
    assert ("7", "7") == (push["options"]["cancelKey"], mail["cancelKey"])

    world = World()
    await world.context.board.cancel("7", 60)
    assert NotificationResult(cancelled=True) == await world.run(**job)
    assert ({}, {}) == (world.notifications.rows, world.context.enqueued)


@pytest.mark.parametrize("users", [1, 200], ids=["before its push and mail", "between pages"])
async def test_a_notification_that_is_cancelled_while_it_runs_stops(users: int) -> None:
    """Its push and its mails would be of a later time than the call, which would not take them back."""
    world = World(addresses={f"u{n}": f"u{n}@example.com" for n in range(users)})
    add = world.notifications.add

    async def add_and_cancel(*given: Any) -> Any:
        await world.context.board.cancel("7", 60)
        return await add(*given)

    world.notifications.add = add_and_cancel  # type: ignore[method-assign,assignment]
    told = {"userIds": [f"u{n}" for n in range(users)], "channels": ["in-app", "push", "email"], "cancelKey": "7"}
    result = await world.run(**told)

    assert {} == world.context.enqueued
    assert NotificationResult(created=min(users, PAGE), cancelled=True) == result


async def test_channels_without_the_app_leave_no_row() -> None:
    """`realtime` is the live message alone, which then has no id; `push` alone says nothing live."""
    world = World()

    result = await world.run(channels=["realtime"])

    assert (None, 0) == (result.id, result.created)
    assert None is json.loads(world.context.board.published[0][1])["id"]
    await world.run(channels=["push"])
    assert (1, {}, []) == (len(world.context.board.published), world.notifications.rows, world.context.counts)


async def test_users_without_an_address_are_counted() -> None:
    """The others get their mail."""
    world = World(addresses={"ada": "ada@example.com"})

    result = await world.run(userIds=["ada", "bob"], channels=["email"])

    assert (1, 1) == (result.emails, result.without_address)


async def test_a_mail_without_a_source_of_addresses_fails_before_anything_is_done() -> None:
    """It can be replayed when the setting is there."""
    world = World()

    with pytest.raises(PermanentError, match="NOTIFICATION_USER_TABLE"):
        await world.run(channels=["in-app", "email"])

    assert {} == world.notifications.rows


@pytest.mark.parametrize(
    ("fault", "kind"),
    [(SchemaError('table "N" has no column "dedupeKey"'), PermanentError), (StorageAwayError("gone"), SnoozeError)],
    ids=["column", "outage"],
)
async def test_faults_of_the_database_end_the_run(fault: Exception, kind: type[Exception]) -> None:
    """What the table can't have is dead, and an outage is waited for."""
    world = World()
    world.notifications.fault = fault

    with pytest.raises(kind):
        await world.run(dedupeKey="k")


async def test_an_unknown_user_is_an_error_of_the_job() -> None:
    """If it is the only one."""
    with pytest.raises(PermanentError, match="no user has its userId"):
        await World().run(userId="stranger")


@pytest.mark.parametrize("trouble", [Trouble.FORBIDDEN, Trouble.AWAY], ids=lambda trouble: trouble.word)
async def test_a_redis_that_refuses_to_publish_costs_only_the_live_message(
    trouble: Trouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An ACL without channels would refuse for ever; an outage ends, so the job waits for that."""
    world = World()

    async def refuse(_: Any) -> list[int]:
        raise BrokerUnavailableError(trouble=trouble)

    monkeypatch.setattr(world.context.board, "publish", refuse)
    if trouble is Trouble.FORBIDDEN:
        assert 0 == (await world.run()).published
    else:
        with pytest.raises(BrokerUnavailableError):
            await world.run()
    assert 1 == len(world.notifications.rows)


def test_what_no_database_holds_is_left_out() -> None:
    """NUL, and half of an emoji, as `slice` leaves it; a user's id is never changed."""
    payload = NotificationPayload.model_validate(
        {
            "userId": 7,
            "title": "a\0b\ud83d",
            "body": None,
            "type": None,
            "metadata": {"k\0": ["\ude00"]},
            "channels": None,
        }
    )

    assert ("7", "ab\ufffd", "", "info") == (payload.user_id, payload.title, payload.body, payload.type)
    assert {"k": ["\ufffd"]} == payload.metadata
    assert "a\0b" == NotificationPayload.model_validate({"userId": "a\0b", "title": "t"}).user_id


def _deep() -> Any:
    value: Any = {}
    for _ in range(5000):
        value = {"in": value}
    return value


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"userId": None}, "either userId or userIds"),
        ({"userIds": ["a"]}, "either userId or userIds"),
        ({"userId": None, "userIds": ["a"], "email": "a@b.c"}, "one userId"),
        ({"title": "\0"}, "title"),
        ({"title": "t" * 1001}, "1000"),
        ({"url": "java\tscript:alert(1)"}, "http, https or relative"),
        ({"channels": ["sms"]}, "channels"),
        ({"channels": []}, "channels"),
        ({"metadata": {"x": "y" * 70_000}}, "characters of JSON"),
        ({"metadata": _deep()}, "nested too deeply"),
        ({"metadata": {"x": float("nan")}}, "not JSON compliant"),
    ],
    ids=[
        "nobody",
        "both",
        "one-address",
        "no-title",
        "long",
        "script",
        "channel",
        "no-channel",
        "large",
        "deep",
        "nan",
    ],
)
def test_bad_payloads_are_refused(change: dict[str, Any], reason: str) -> None:
    """With the field and what to do."""
    with pytest.raises(ValidationError, match=reason):
        NotificationPayload.model_validate({"userId": "ada", "title": "Hello"} | change)


async def test_a_subject_has_one_line() -> None:
    """A title is what users write."""
    world = World(addresses={"ada": "a@example.com"})

    await world.run(title="Hi\r\nBcc: x@y.z\x07", url="/x", channels=["email"])

    [mail] = world.context.enqueued.values()
    assert "Hi Bcc: x@y.z" == mail.data["subject"]
    assert "/x" not in mail.data["text"]
