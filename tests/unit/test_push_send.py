"""Which key a message is sent with, and what refusals by several keys come to."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from processors.push.delivery import Delivery, Kind, Message
from processors.push.endpoints import AllowedHosts
from processors.push.send import PushSender, headers_for

MESSAGE = Message(b"{}", ttl=60, urgency="normal")
ENDPOINT = AllowedHosts().parse("https://fcm.googleapis.com/wp/1")


class Sender(PushSender):
    """Has two keys, is answered as scripted by key, and remembers which ones it has tried."""

    def __init__(self) -> None:
        """The current key is first."""
        super().__init__(["current", "earlier"], AllowedHosts())  # type: ignore[list-item]  # nothing is signed
        self._answers: dict[str, Kind] = {}
        self.tried: list[str] = []

    async def answered(self, **answers: Kind) -> Kind:
        """What a message comes to when the keys are answered so; `tried` begins anew."""
        self._answers, self.tried = answers, []
        return (await self._send(ENDPOINT, b"", MESSAGE)).kind

    async def _send_as(self, signer: Any, *_: Any) -> Delivery:
        self.tried.append(signer)
        await asyncio.sleep(0)  # another message may come in between
        return Delivery(self._answers[signer])


async def test_a_subscription_of_an_earlier_key_that_has_changed_is_found_out() -> None:
    """The key that worked last is tried first; when it works no more, the others are, and it is forgotten."""
    sender = Sender()
    await sender.answered(current=Kind.KEY_MISMATCH, earlier=Kind.SENT)

    assert await sender.answered(current=Kind.SENT, earlier=Kind.KEY_MISMATCH) is Kind.SENT
    assert sender.tried == ["earlier", "current"]
    assert await sender.answered(current=Kind.SENT) is Kind.SENT
    assert sender.tried == ["current"]


async def test_an_outage_does_not_make_it_forget_the_key() -> None:
    """The next message is sent with it at once."""
    sender = Sender()
    await sender.answered(current=Kind.KEY_MISMATCH, earlier=Kind.SENT)
    await sender.answered(earlier=Kind.TRANSIENT)

    assert await sender.answered(earlier=Kind.SENT) is Kind.SENT


@pytest.mark.parametrize("other", [Kind.CONFIGURATION, Kind.KEY_MISMATCH])
async def test_a_mismatch_is_one_only_if_all_keys_say_so(other: Kind) -> None:
    """A row is deleted for a mismatch, and must not be for a key that the service refuses altogether."""
    assert await Sender().answered(current=Kind.KEY_MISMATCH, earlier=other) is other


async def test_two_messages_at_once_find_out_that_a_key_works_no_more() -> None:
    """Two jobs for one device: both try the other key, whichever has forgotten the first one before."""
    sender = Sender()
    await sender.answered(current=Kind.KEY_MISMATCH, earlier=Kind.SENT)

    ends = await asyncio.gather(*(sender.answered(current=Kind.SENT, earlier=Kind.KEY_MISMATCH) for _ in range(2)))

    assert ends == [Kind.SENT, Kind.SENT]


@pytest.mark.parametrize(
    ("endpoint", "ttl", "sent"),
    [
        ("https://fcm.googleapis.com/wp/1", 0, "0"),
        ("https://web.push.apple.com/x", 60, "60"),
        ("https://db5p.notify.windows.com/w", 60, "60"),
        ("https://db5p.notify.windows.com/w", 0, "1"),
    ],
)
def test_only_if_online_is_said_to_all_but_windows(endpoint: str, ttl: int, sent: str) -> None:
    """Its service refuses a TTL of 0."""
    headers = headers_for(AllowedHosts().parse(endpoint), Message(b"{}", ttl=ttl, urgency="normal"))

    assert sent == headers["TTL"]
