"""Pushes from the processor to a push service that decrypts them."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from processors.outbound import HttpClient
from processors.push.allowance import MAX_AT_ORIGIN
from processors.push.delivery import Delivery, Kind
from processors.push.dependencies import PushDependencies
from processors.push.endpoints import AllowedHosts
from processors.push.message import PayloadStyle, message_of
from processors.push.origins import Origins
from processors.push.payload import PushPayload
from processors.push.processor import PushNotification
from processors.push.result import PushResult
from processors.push.send import PushSender
from processors.push.vapid import VapidSigner, parse_private_key
from queue_lib.errors import PermanentError
from tests.support.fakes import FakeContext
from tests.support.polling import BUSY, PATIENCE
from tests.support.push_fakes import FakeSubscriptions
from tests.support.push_service import SUBJECT, Answer, PushService

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from storage.ports import Subscription

SLOTS = 10
STYLE = PayloadStyle(3993)
# What apps have stored in place of what the browser gave: `p256dh` and `auth` of a row.
FORMS: dict[str, Callable[[Subscription], tuple[str, str]]] = {
    "hex": lambda row: (_bytes(row.p256dh).hex(), _bytes(row.auth).hex()),
    "quoted": lambda row: (json.dumps(row.p256dh), json.dumps(row.auth)),
    "encrypted": lambda row: (f"v1:{row.p256dh[::-1]}", f"v1:{row.auth[::-1]}"),
    "swapped": lambda row: (row.auth, row.p256dh),
    "encoded twice": lambda row: (_base64(row.p256dh.encode()), _base64(row.auth.encode())),
    "left out": lambda _: ("", ""),
}
NOTIFICATION = {"title": "Grüße", "body": "👋", "url": "/chat/1", "custom": {"nested": [1, None]}}


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


@pytest.fixture
def rows() -> FakeSubscriptions:
    """The app's subscriptions."""
    return FakeSubscriptions([])


@pytest.fixture
async def sender(vapid_keys: tuple[str, str]) -> AsyncIterator[PushSender]:
    """A sender that may call this machine, with long timeouts for a busy machine."""
    async with sending(vapid_keys, PATIENCE) as sender:
        yield sender


@contextlib.asynccontextmanager
async def sending(vapid_keys: tuple[str, str], patience: float) -> AsyncIterator[PushSender]:
    """A sender that waits so many seconds for an answer."""
    signer = VapidSigner(parse_private_key(vapid_keys[0]), SUBJECT)
    http = HttpClient()
    yield PushSender([signer], AllowedHosts(local=True), http, patience)
    await http.close()


@pytest.fixture
def context() -> FakeContext:
    """The job's context."""
    return FakeContext()


def job(**options: Any) -> PushPayload:
    """The payload as a producer writes it."""
    return PushPayload.model_validate({"userId": "user-1", "payload": NOTIFICATION, "options": options})


async def test_every_device_of_the_user_receives_the_payload_as_given(
    push_service: PushService, rows: FakeSubscriptions, sender: PushSender, context: FakeContext
) -> None:
    """Each device of the user, and no other, decrypts exactly the app's object."""
    mine = [push_service.subscribe(), push_service.subscribe()]
    rows.rows = [*mine, push_service.subscribe("user-2")]

    result = await PushNotification(PushDependencies(rows, sender, Origins(SLOTS), STYLE))(job(), context)

    assert result == PushResult(sent=2, total=2, origins={push_service.origin: {"sent": 2}})
    assert [row.id for row in mine] == sorted(push.subscription_id for push in push_service.received)
    assert [push.json for push in push_service.received] == [NOTIFICATION, NOTIFICATION]
    assert json.dumps(NOTIFICATION, ensure_ascii=False, separators=(",", ":")) == push_service.received[0].text
    assert push_service.refused == []


async def test_the_options_become_headers(push_service: PushService, sender: PushSender) -> None:
    """TTL, urgency and topic are sent as the push protocol names them, with the operator's subject."""
    delivery = await sender.send(
        push_service.subscribe(), message_of(job(ttl=60, urgency="high", topic="chat 1"), STYLE)
    )

    [push] = push_service.received
    assert delivery == Delivery(Kind.SENT)
    assert push.headers["TTL"] == "60"
    assert push.headers["Urgency"] == "high"
    assert len(push.headers["Topic"]) == 32
    assert push.headers["Content-Type"] == "application/octet-stream"
    assert push.claims["sub"] == SUBJECT


async def test_a_job_in_the_words_of_the_web_push_package(
    push_service: PushService, rows: FakeSubscriptions, sender: PushSender, context: FakeContext
) -> None:
    """JSON text, TTL and options beside it: it is sent as any other; unknown options are named."""
    rows.rows = [push_service.subscribe("1")]
    data = {"userId": 1, "payload": json.dumps(NOTIFICATION), "TTL": 0, "urgency": "high", "traceId": "x"}

    result = await PushNotification(PushDependencies(rows, sender, Origins(SLOTS), STYLE))(
        PushPayload.model_validate(data), context
    )

    [push] = push_service.received
    assert (1, ("traceId",)) == (result.sent, result.ignored)
    assert NOTIFICATION == push.json
    assert ("0", "high") == (push.headers["TTL"], push.headers["Urgency"])


async def test_the_largest_payload_fits_one_record(push_service: PushService, sender: PushSender) -> None:
    """A payload of 3,993 bytes arrives whole in a body of 4,096."""
    payload = {"title": "t", "body": ""}
    payload["body"] = "x" * (3993 - len(json.dumps(payload, separators=(",", ":"))))
    message = message_of(PushPayload.model_validate({"userId": 1, "payload": payload}), STYLE)

    await sender.send(push_service.subscribe(), message)

    assert payload == push_service.received[0].json


@pytest.mark.parametrize("status", [404, 410])
async def test_a_subscription_that_is_gone_is_pruned_and_the_others_are_served(
    push_service: PushService, rows: FakeSubscriptions, sender: PushSender, context: FakeContext, status: int
) -> None:
    """404 and 410 delete the row; the user's other devices get the message."""
    rows.rows = [push_service.subscribe() for _ in range(3)]
    first, gone, last = rows.rows
    push_service.answer(gone, Answer(status))

    result = await PushNotification(PushDependencies(rows, sender, Origins(SLOTS), STYLE))(job(), context)

    assert (result.sent, result.failed, result.pruned, result.total) == (2, 0, 1, 3)
    assert [first, last] == rows.rows


@pytest.mark.parametrize(
    ("status", "counted"), [(400, "failed"), (413, "failed"), (429, "retrying"), (500, "retrying"), (503, "retrying")]
)
async def test_other_refusals_keep_the_subscription(
    push_service: PushService,
    rows: FakeSubscriptions,
    sender: PushSender,
    context: FakeContext,
    status: int,
    counted: str,
) -> None:
    """No status but 404 and 410 deletes a row."""
    rows.rows = [push_service.subscribe()]
    push_service.answer(rows.rows[0], Answer(status))

    result = await PushNotification(PushDependencies(rows, sender, Origins(SLOTS), STYLE))(job(), context)

    assert (getattr(result, counted), result.pruned, result.total) == (1, 0, 1)
    assert len(rows.rows) == 1


@pytest.mark.parametrize("status", [401, 403])
async def test_a_server_that_is_refused_deletes_nothing(
    push_service: PushService, rows: FakeSubscriptions, sender: PushSender, context: FakeContext, status: int
) -> None:
    """A wrong key would otherwise empty the table: the job is dead, to be replayed with the right key."""
    rows.rows = [push_service.subscribe()]
    push_service.answer(rows.rows[0], Answer(status, body=b'{"reason":"BadJwtToken"}'))

    with pytest.raises(PermanentError, match="VAPID"):
        await PushNotification(PushDependencies(rows, sender, Origins(SLOTS), STYLE))(job(), context)

    assert len(rows.rows) == 1


async def test_a_redirect_is_not_followed(push_service: PushService, sender: PushSender) -> None:
    """A push service can't send the worker, and its token, elsewhere."""
    subscription, other = push_service.subscribe(), push_service.subscribe()
    push_service.answer(subscription, Answer(307, {"Location": other.endpoint}))

    delivery = await sender.send(subscription, message_of(job(), STYLE))

    assert delivery == Delivery(Kind.REDIRECT, "HTTP 307: a redirect, which is not followed")
    assert push_service.requests == 1


async def test_a_service_that_hangs_costs_its_own_push_only(
    push_service: PushService, rows: FakeSubscriptions, vapid_keys: tuple[str, str], context: FakeContext
) -> None:
    """Its push fails when its time is up, and the others are sent."""
    rows.rows = [push_service.subscribe(), push_service.subscribe()]
    push_service.answer(rows.rows[0], Answer(hang=True))

    with capture_logs() as logs:
        async with sending(vapid_keys, patience=BUSY) as sender:
            result = await PushNotification(PushDependencies(rows, sender, Origins(SLOTS), STYLE))(job(), context)

    assert (result.sent, result.retrying, result.total) == (1, 1, 2)
    assert [entry["reason"] for entry in logs if entry["event"] == "push_failed"] == ["no answer in time"]


async def test_a_huge_answer_is_not_read(push_service: PushService, sender: PushSender) -> None:
    """Of 50 MB only the status and the beginning are read."""
    subscription = push_service.subscribe()
    push_service.answer(subscription, Answer(500, body=b"error " * 8_000_000))

    delivery = await sender.send(subscription, message_of(job(), STYLE))

    assert delivery.kind is Kind.TRANSIENT
    assert len(delivery.reason) < 250


async def test_a_service_that_is_away_is_a_failure(push_service: PushService, sender: PushSender) -> None:
    """A refused connection gives a Failed delivery whose reason does not hold the endpoint."""
    subscription = push_service.subscribe()
    await push_service.stop()

    delivery = await sender.send(subscription, message_of(job(), STYLE))

    assert delivery == Delivery(Kind.TRANSIENT, "no connection: ClientConnectorError")


@pytest.mark.parametrize("form", FORMS)
async def test_unreadable_keys_delete_no_row(
    push_service: PushService, rows: FakeSubscriptions, sender: PushSender, context: FakeContext, form: str
) -> None:
    """All rows of the app have them: no service is called, all have failed, and no row is deleted."""
    good = [push_service.subscribe() for _ in range(120)]
    rows.rows = [replace(row, p256dh=p256dh, auth=auth) for row in good for p256dh, auth in [FORMS[form](row)]]

    result = await PushNotification(PushDependencies(rows, sender, Origins(SLOTS), STYLE))(job(), context)

    assert (0, 120, 0, 120) == (result.sent, result.failed, result.pruned, result.total)
    assert [{"unreadableKeys": 120}] == list(result.origins.values())
    assert (0, 120) == (push_service.requests, len(rows.rows))


async def test_this_machine_is_not_called_unless_allowed(
    push_service: PushService, vapid_keys: tuple[str, str]
) -> None:
    """By default an endpoint on this machine is refused: nothing is sent, and the row is kept."""
    sender = PushSender([VapidSigner(parse_private_key(vapid_keys[0]), SUBJECT)], AllowedHosts(), HttpClient())

    delivery = await sender.send(push_service.subscribe(), message_of(job(), STYLE))

    reason = "the host is not a known push service; PUSH_ALLOWED_HOSTS adds one"
    assert delivery == Delivery(Kind.REFUSED_ENDPOINT, reason)
    assert push_service.requests == 0


async def test_a_job_has_a_bounded_number_of_requests_open(
    push_service: PushService, rows: FakeSubscriptions, sender: PushSender, context: FakeContext
) -> None:
    """A user with 200 devices gets 200 pushes, at most 50 at a time, with one token."""
    rows.rows = [push_service.subscribe() for _ in range(200)]
    for row in rows.rows:
        push_service.answer(row, Answer(delay=0.02))

    result = await PushNotification(PushDependencies(rows, sender, Origins(SLOTS), STYLE))(job(), context)

    assert (result.sent, len({push.subscription_id for push in push_service.received})) == (200, 200)
    assert 1 < push_service.peak <= MAX_AT_ORIGIN
    assert len({push.headers["Authorization"] for push in push_service.received}) == 1


async def test_a_cancelled_job_stops_sending(
    push_service: PushService, rows: FakeSubscriptions, sender: PushSender, context: FakeContext
) -> None:
    """The deadline ends the fan-out: pushes that had not begun are not sent."""
    rows.rows = [push_service.subscribe() for _ in range(MAX_AT_ORIGIN + 10)]
    for row in rows.rows:
        push_service.answer(row, Answer(hang=True))

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await PushNotification(PushDependencies(rows, sender, Origins(SLOTS), STYLE))(job(), context)

    assert push_service.requests <= MAX_AT_ORIGIN


async def test_no_secret_is_logged(
    push_service: PushService, rows: FakeSubscriptions, sender: PushSender, context: FakeContext
) -> None:
    """Logs have the host and a hash; an endpoint that the service repeats in its answer is cut out."""
    rows.rows = [push_service.subscribe()]
    [row] = rows.rows
    token = row.endpoint.rpartition("/")[2]
    push_service.answer(row, Answer(500, body=f"failed for {row.endpoint} and {token}".encode()))

    with capture_logs() as logs:
        await PushNotification(PushDependencies(rows, sender, Origins(SLOTS), STYLE))(job(), context)

    entry = logs[0]
    assert entry["event"] == "push_failed"
    assert entry["reason"] == "HTTP 500: failed for <url> and <token>"
    assert token not in str(logs)
    assert row.p256dh not in str(logs)
    assert row.auth not in str(logs)
