"""Pushes from the processor to a push service that decrypts them."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from processors.push.delivery import Failed, Gone, Sent
from processors.push.endpoints import AllowedHosts
from processors.push.payload import PushPayload
from processors.push.processor import CONCURRENCY, PushNotification
from processors.push.send import PushSender
from processors.push.vapid import VapidSigner, parse_private_key
from tests.support.push_service import SUBJECT, Answer, PushService

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from storage.ports import Subscription

NOTIFICATION = {"title": "Grüße", "body": "👋", "url": "/chat/1", "custom": {"nested": [1, None]}}


class MemorySubscriptions:
    """The port over a list."""

    def __init__(self) -> None:
        """Begin empty."""
        self.rows: list[Subscription] = []

    async def of_user(self, user_id: str) -> list[Subscription]:
        """See the port."""
        return [row for row in self.rows if row.user_id == user_id]

    async def prune(self, subscriptions: Sequence[Subscription]) -> int:
        """See the port."""
        self.rows = [row for row in self.rows if row not in subscriptions]
        return len(subscriptions)


@pytest.fixture
def rows() -> MemorySubscriptions:
    """The app's subscriptions."""
    return MemorySubscriptions()


@pytest.fixture
async def sender(vapid_keys: tuple[str, str]) -> AsyncIterator[PushSender]:
    """A sender that may call this machine, with a short patience."""
    signer = VapidSigner(parse_private_key(vapid_keys[0]), SUBJECT)
    sender = PushSender(signer, AllowedHosts(local=True), aiohttp.ClientTimeout(total=0.5))
    yield sender
    await sender.close()


@pytest.fixture
def context() -> Any:
    """The processor asks nothing of it."""
    return None


def job(**options: Any) -> PushPayload:
    """The payload as a producer writes it."""
    return PushPayload.model_validate({"userId": "user-1", "payload": NOTIFICATION, "options": options})


async def test_every_device_of_the_user_receives_the_payload_as_given(
    push_service: PushService, rows: MemorySubscriptions, sender: PushSender, context: Any
) -> None:
    """Each device of the user, and of no other, decrypts exactly the app's object."""
    mine = [push_service.subscribe(), push_service.subscribe()]
    rows.rows = [*mine, push_service.subscribe("user-2")]

    result = await PushNotification(rows, sender)(job(), context)

    assert result.model_dump() == {"sent": 2, "failed": 0, "pruned": 0, "retrying": 0, "skipped": 0, "total": 2}
    assert [row.id for row in mine] == sorted(push.subscription_id for push in push_service.received)
    assert [push.json for push in push_service.received] == [NOTIFICATION, NOTIFICATION]
    assert json.dumps(NOTIFICATION, ensure_ascii=False, separators=(",", ":")) == push_service.received[0].text
    assert push_service.refused == []


async def test_the_options_become_headers(push_service: PushService, sender: PushSender) -> None:
    """TTL, urgency and topic are sent as the push protocol names them, with the operator's subject."""
    delivery = await sender.send(push_service.subscribe(), job(ttl=60, urgency="high", topic="chat 1").message())

    [push] = push_service.received
    assert Sent() == delivery
    assert push.headers["TTL"] == "60"
    assert push.headers["Urgency"] == "high"
    assert len(push.headers["Topic"]) == 32
    assert push.headers["Content-Type"] == "application/octet-stream"
    assert push.claims["sub"] == SUBJECT


async def test_the_largest_payload_fits_one_record(push_service: PushService, sender: PushSender) -> None:
    """A payload of 3,993 bytes arrives whole in a body of 4,096."""
    payload = {"title": "t", "body": ""}
    payload["body"] = "x" * (3993 - len(json.dumps(payload, separators=(",", ":"))))
    message = PushPayload.model_validate({"userId": 1, "payload": payload}).message()

    await sender.send(push_service.subscribe(), message)

    assert payload == push_service.received[0].json


@pytest.mark.parametrize("status", [404, 410])
async def test_a_subscription_that_is_gone_is_pruned_and_the_others_are_served(
    push_service: PushService, rows: MemorySubscriptions, sender: PushSender, context: Any, status: int
) -> None:
    """404 and 410 delete the row; the devices next to it receive the message."""
    rows.rows = [push_service.subscribe() for _ in range(3)]
    first, gone, last = rows.rows
    push_service.answer(gone, Answer(status))

    result = await PushNotification(rows, sender)(job(), context)

    assert (result.sent, result.failed, result.pruned, result.total) == (2, 0, 1, 3)
    assert [first, last] == rows.rows


@pytest.mark.parametrize("status", [400, 401, 403, 413, 429, 500, 503])
async def test_other_refusals_keep_the_subscription(
    push_service: PushService, rows: MemorySubscriptions, sender: PushSender, context: Any, status: int
) -> None:
    """No status but 404 and 410 deletes a row: a wrong key would otherwise empty the table."""
    rows.rows = [push_service.subscribe()]
    push_service.answer(rows.rows[0], Answer(status, body=b'{"reason":"BadJwtToken"}'))

    result = await PushNotification(rows, sender)(job(), context)

    assert (result.sent, result.failed, result.pruned, result.total) == (0, 1, 0, 1)
    assert len(rows.rows) == 1


async def test_a_redirect_is_not_followed(push_service: PushService, sender: PushSender) -> None:
    """A push service can't send the worker, and its token, elsewhere."""
    subscription, other = push_service.subscribe(), push_service.subscribe()
    push_service.answer(subscription, Answer(307, {"Location": other.endpoint}))

    delivery = await sender.send(subscription, job().message())

    assert Failed("HTTP 307: a redirect, which is not followed") == delivery
    assert push_service.requests == 1


async def test_a_service_that_hangs_costs_its_own_push_only(
    push_service: PushService, rows: MemorySubscriptions, sender: PushSender, context: Any
) -> None:
    """A push without an answer fails when its time is up, and the others are sent."""
    rows.rows = [push_service.subscribe(), push_service.subscribe()]
    push_service.answer(rows.rows[0], Answer(hang=True))

    with capture_logs() as logs:
        result = await PushNotification(rows, sender)(job(), context)

    assert (result.sent, result.failed, result.total) == (1, 1, 2)
    assert [entry["reason"] for entry in logs] == ["no answer in time"]


async def test_a_huge_answer_is_not_read(push_service: PushService, sender: PushSender) -> None:
    """Of an answer of 50 MB only the status and the beginning count."""
    subscription = push_service.subscribe()
    push_service.answer(subscription, Answer(500, body=b"error " * 8_000_000))

    delivery = await sender.send(subscription, job().message())

    assert isinstance(delivery, Failed)
    assert len(delivery.reason) < 250


async def test_a_service_that_is_away_is_a_failure(push_service: PushService, sender: PushSender) -> None:
    """A refused connection is a Failed delivery whose reason does not hold the endpoint."""
    subscription = push_service.subscribe()
    await push_service.stop()

    delivery = await sender.send(subscription, job().message())

    assert Failed("no answer: ClientConnectorError") == delivery


async def test_keys_that_are_none_are_gone(push_service: PushService, sender: PushSender) -> None:
    """A subscription that nothing can be encrypted for is gone, and its service is not called."""
    subscription = push_service.subscribe()
    subscription.auth = "dG9vIHNob3J0"

    delivery = await sender.send(subscription, job().message())

    assert Gone("auth is not 16 bytes") == delivery
    assert push_service.requests == 0


async def test_this_machine_is_not_called_unless_allowed(
    push_service: PushService, vapid_keys: tuple[str, str]
) -> None:
    """By default an endpoint on this machine is refused before anything is sent, and kept."""
    sender = PushSender(VapidSigner(parse_private_key(vapid_keys[0]), SUBJECT), AllowedHosts())

    delivery = await sender.send(push_service.subscribe(), job().message())

    assert Failed("the host is not a known push service; PUSH_ALLOWED_HOSTS adds one") == delivery
    assert push_service.requests == 0


async def test_a_job_has_a_bounded_number_of_requests_open(
    push_service: PushService, rows: MemorySubscriptions, sender: PushSender, context: Any
) -> None:
    """A user with 200 devices gets 200 pushes, at most 50 at a time, over one token."""
    rows.rows = [push_service.subscribe() for _ in range(200)]
    for row in rows.rows:
        push_service.answer(row, Answer(delay=0.02))

    result = await PushNotification(rows, sender)(job(), context)

    assert (result.sent, len({push.subscription_id for push in push_service.received})) == (200, 200)
    assert 1 < push_service.peak <= CONCURRENCY
    assert len({push.headers["Authorization"] for push in push_service.received}) == 1


async def test_a_cancelled_job_stops_sending(
    push_service: PushService, rows: MemorySubscriptions, sender: PushSender, context: Any
) -> None:
    """The deadline ends the fan-out: what had not begun is not sent."""
    rows.rows = [push_service.subscribe() for _ in range(CONCURRENCY + 10)]
    for row in rows.rows:
        push_service.answer(row, Answer(hang=True))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await PushNotification(rows, sender)(job(), context)

    assert push_service.requests <= CONCURRENCY


async def test_no_secret_is_logged(
    push_service: PushService, rows: MemorySubscriptions, sender: PushSender, context: Any
) -> None:
    """Logs name the host and a hash; an endpoint that the service repeats in its answer is cut out."""
    rows.rows = [push_service.subscribe()]
    [row] = rows.rows
    token = row.endpoint.rpartition("/")[2]
    push_service.answer(row, Answer(500, body=f"failed for {row.endpoint} and {token}".encode()))

    with capture_logs() as logs:
        await PushNotification(rows, sender)(job(), context)

    [entry] = logs
    assert entry["event"] == "push_failed"
    assert entry["reason"] == "HTTP 500: failed for <url> and <token>"
    assert token not in str(logs)
    assert row.p256dh not in str(logs)
    assert row.auth not in str(logs)
