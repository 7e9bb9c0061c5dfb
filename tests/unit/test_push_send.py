"""Which key a message is sent with, and what refusals of several keys mean."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from processors.outbound import HttpClient
from processors.push.delivery import Delivery, Kind, Message
from processors.push.endpoints import AllowedHosts
from processors.push.send import PushSender, headers_for

MESSAGE = Message(b"{}", ttl=60, urgency="normal")
ENDPOINT = AllowedHosts().parse("https://fcm.googleapis.com/wp/1")


class Sender(PushSender):
    """Has two keys, gets the scripted answer for each, and records the keys that it has tried."""

    def __init__(self) -> None:
        """The current key is first."""
        super().__init__(["current", "earlier"], AllowedHosts(), HttpClient())  # type: ignore[list-item]  # nothing is signed
        self._answers: dict[str, Kind] = {}
        self.tried: list[str] = []

    async def answered(self, **answers: Kind) -> Kind:
        """The outcome of a message if the keys get these answers; `tried` begins anew."""
        self._answers, self.tried = answers, []
        return (await self._send(ENDPOINT, b"", MESSAGE)).kind

    async def _send_as(self, signer: Any, *_: Any) -> Delivery:
        self.tried.append(signer)
        await asyncio.sleep(0)  # another message may come in between
        return Delivery(self._answers[signer])


async def test_a_subscription_of_an_earlier_key_that_has_changed_is_found_out() -> None:
    """The key that worked last is tried first; if it fails, the others are, and it is forgotten."""
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
def test_a_ttl_of_0_is_not_sent_to_windows(endpoint: str, ttl: int, sent: str) -> None:
    """Its service refuses it."""
    headers = headers_for(AllowedHosts().parse(endpoint), Message(b"{}", ttl=ttl, urgency="normal"))

    assert sent == headers["TTL"]


def refused_by(origin_took_at: list[float]) -> list[Kind]:
    """The outcome of refusals of one subscription, ten seconds apart; others are taken at these moments."""
    now, kinds = [1000.0], []
    sender = PushSender(["current"], AllowedHosts(), HttpClient(), clock=lambda: now[0])  # type: ignore[list-item]
    for number in range(5):
        sender._proven[ENDPOINT.origin] = max([at for at in origin_took_at if at <= now[0]], default=0.0)
        kinds.append(sender._weighed(ENDPOINT, Delivery(Kind.CONFIGURATION, "HTTP 401")).kind)
        now[0] = 1000.0 + 10 * (number + 1)
    return kinds


def test_repeated_refusals_while_others_pass_fail_the_subscription() -> None:
    """The server is not at fault: the subscription fails for good, without a retry or a rest of its push service."""
    assert [Kind.CONFIGURATION] * 2 + [Kind.REFUSED] * 3 == refused_by([1005.0, 1015.0, 1025.0, 1035.0])


@pytest.mark.parametrize("took", [[], [900.0], [1005.0]])
def test_refusals_while_none_passes_are_the_servers(took: list[float]) -> None:
    """However often: an outage of an hour must not cost a subscription."""
    assert Kind.REFUSED not in refused_by(took)


def test_an_accepted_message_clears_earlier_refusals() -> None:
    """One message that is taken makes good what was before."""
    sender = PushSender(["current"], AllowedHosts(), HttpClient(), clock=lambda: 1000.0)  # type: ignore[list-item]
    sender._refusals[hash(ENDPOINT.url)] = (5, 0.0)

    sender._weighed(ENDPOINT, Delivery(Kind.SENT))

    assert Kind.CONFIGURATION is sender._weighed(ENDPOINT, Delivery(Kind.CONFIGURATION)).kind
