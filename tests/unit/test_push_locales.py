"""Texts by locale, over fakes: each device gets the one of its subscription, else of its user."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from processors.push import message as message_module
from processors.push.batch import PAGE, PushBatch
from processors.push.delivery import Kind
from processors.push.payload import BatchPayload, FollowUpPayload, PushPayload
from processors.push.processor import PushFollowUp, PushNotification
from queue_lib.errors import PermanentError, SnoozeError
from storage.errors import StorageAwayError
from tests.support.fakes import FakeContext
from tests.support.push_fakes import FakeSender, FakeSubscriptions, make_dependencies, make_row

if TYPE_CHECKING:
    from collections.abc import Collection

    from processors.push.delivery import Delivery, Message
    from processors.push.dependencies import PushDependencies
    from storage.ports import Subscription

PAYLOADS = {"de": {"title": "Neu"}, "pt-BR": {"title": "Novo"}}


class Titles(FakeSender):
    """Keeps the title that each row was sent."""

    def __init__(self, script: dict[int, Kind] | None = None) -> None:
        """As FakeSender."""
        super().__init__(script)
        self.titles: dict[str, str] = {}

    async def send(self, subscription: Subscription, message: Message) -> Delivery:
        """See the port."""
        self.titles[subscription.id] = json.loads(message.body)["title"]
        return await super().send(subscription, message)


class Users:
    """Locales of users, and how often somebody asked."""

    def __init__(self, locales: dict[str, str]) -> None:
        """By user."""
        self._locales = locales
        self.asked: list[list[str]] = []

    async def of_users(self, user_ids: Collection[str]) -> dict[str, str]:
        """See the port."""
        self.asked.append(sorted(user_ids))
        return {user: self._locales[user] for user in user_ids if user in self._locales}


def dependencies(rows: list[Subscription], sender: FakeSender, users: Users | None = None) -> PushDependencies:
    """Dependencies over fakes."""
    return replace(make_dependencies(FakeSubscriptions(rows), sender), locales=users)


def rows(*locales: str, user: str = "1") -> list[Subscription]:
    """A row for each locale."""
    return [replace(make_row(number, user_id=user), locale=locale) for number, locale in enumerate(locales)]


def job(**more: Any) -> PushPayload:
    """A job for user 1."""
    return PushPayload.model_validate({"userId": "1", "payload": {"title": "New"}, "payloads": PAYLOADS, **more})


async def test_each_device_gets_the_text_of_its_locale() -> None:
    """A region that has no text of its own gets the language's; all others get `payload`."""
    sender = Titles()

    await PushNotification(dependencies(rows("de", "de-AT", "pt_BR", "pt-PT", "fr", ""), sender))(job(), FakeContext())

    assert ["Neu", "Neu", "Novo", "New", "New", "New"] == [*sender.titles.values()]


async def test_the_users_locale_is_for_devices_without_one() -> None:
    """It is read once for all of them, and only where it is needed."""
    sender, users = Titles(), Users({"1": "de-CH"})

    await PushNotification(dependencies(rows("", "en", ""), sender, users))(job(), FakeContext())
    await PushNotification(dependencies(rows("en"), Titles(), users))(job(), FakeContext())
    await PushNotification(dependencies(rows(""), Titles(), users))(job(payloads=None), FakeContext())

    assert ["Neu", "New", "Neu"] == [*sender.titles.values()]
    assert [["1"]] == users.asked


async def test_a_batch_asks_once_a_page_and_encodes_each_text_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not once for each device."""
    encoded: list[Any] = []
    encode = message_module.encode

    def counted(*args: Any) -> bytes:
        encoded.append(args)
        return encode(*args)

    monkeypatch.setattr(message_module, "encode", counted)
    sender, users = Titles(), Users({str(n): "de" for n in range(0, 2 * PAGE, 2)})
    everyone = [make_row(number, user_id=str(number)) for number in range(2 * PAGE)]
    payload = BatchPayload.model_validate({"all": True, "payload": {"title": "New"}, "payloads": PAYLOADS})

    await PushBatch(dependencies(everyone, sender, users))(payload, FakeContext())

    assert {row.id: "New" if int(row.id) % 2 else "Neu" for row in everyone} == sender.titles
    assert [PAGE, PAGE] == [*map(len, users.asked)]
    assert len(encoded) == 3


async def test_a_follow_up_has_all_texts() -> None:
    """The device that could not be reached gets its own."""
    context, found = FakeContext(), rows("de", "fr")
    await PushNotification(dependencies(found, Titles({0: Kind.TRANSIENT})))(job(), context)
    [follow_up] = context.enqueued.values()
    data = FollowUpPayload.model_validate(json.loads(json.dumps(follow_up.data)))

    sender = Titles()
    await PushFollowUp(dependencies(found, sender))(data, FakeContext())

    assert {found[0].id: "Neu"} == sender.titles


async def test_a_text_that_is_too_long_fails_the_job_before_anything_is_sent() -> None:
    """The reason names its locale."""
    sender = Titles()
    payload = job(payloads={"de": {"title": "x" * 5000}})

    with pytest.raises(PermanentError, match=r"^payloads\.de: the payload has 5,\d+ bytes"):
        await PushNotification(dependencies(rows(""), sender))(payload, FakeContext())

    assert sender.titles == {}


async def test_the_job_waits_while_the_users_table_is_away() -> None:
    """Nobody gets a text in a wrong language because of that."""

    async def away(_: Collection[str]) -> dict[str, str]:
        msg = "the database does not answer"
        raise StorageAwayError(msg)

    users, sender = Users({}), Titles()
    users.of_users = away  # type: ignore[method-assign,assignment]
    with pytest.raises(SnoozeError, match="does not answer"):
        await PushNotification(dependencies(rows(""), sender, users))(job(), FakeContext())

    assert sender.titles == {}
