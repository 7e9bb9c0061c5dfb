"""The HTTP client of all features over real sockets: malformed answers, and hosts that it must not reach."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from processors.outbound import MAX_BODY, Answer, HttpClient, NoAnswerError
from tests.support.polling import BUSY
from tests.support.raw_http import ODD_SUCCESSES, Rebinding, answering, drip, garbage, name_of, raw_server, reset
from tests.support.tls import make_certificate, tls_in_front_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.push_service import PushService


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    """A client, closed at the end."""
    client = HttpClient()
    yield client
    await client.close()


async def post(client: HttpClient, url: str, seconds: float = BUSY) -> Answer:
    """Post something to this machine."""
    return await client.request("POST", url, seconds=seconds, body=b"{}", loopback=True)


@pytest.mark.parametrize("behave", [reset, garbage])
async def test_no_answer(client: HttpClient, behave: Any) -> None:
    """A cut connection, or nonsense. The error does not hold the URL."""
    async with raw_server(behave) as origin:
        with pytest.raises(NoAnswerError, match=r"^no answer: ") as caught:
            await post(client, f"{origin}/secret")

    assert origin not in str(caught.value)
    assert "secret" not in str(caught.value)


async def test_a_refused_connection(client: HttpClient) -> None:
    """The error names its class, and not the URL."""
    async with raw_server(reset) as origin:
        pass
    with pytest.raises(NoAnswerError, match=r"^no connection: ClientConnectorError$"):
        await post(client, origin)


async def test_an_answer_that_takes_too_long(client: HttpClient) -> None:
    """The caller says how many seconds it waits."""

    async def hang(_: asyncio.StreamWriter) -> None:
        await asyncio.Future()

    async with raw_server(hang) as origin:
        with pytest.raises(NoAnswerError, match=r"^no answer in time$"):
            async with asyncio.timeout(10):
                await post(client, origin, seconds=0.2)


async def test_a_body_without_end(client: HttpClient) -> None:
    """The status is the answer, and of the body what came in time."""
    async with raw_server(drip) as origin:
        answer = await post(client, origin, seconds=0.5)

    assert (201, False) == (answer.status, answer.is_whole)
    assert set(b".") == set(answer.body)


@pytest.mark.parametrize("answer", ODD_SUCCESSES, ids=name_of)
async def test_a_201_is_a_201(client: HttpClient, answer: bytes) -> None:
    """Whatever comes with it: an accepted request must not be sent again."""
    async with raw_server(answering(answer)) as origin:
        assert 201 == (await post(client, origin)).status


@pytest.mark.parametrize(
    ("most", "expected"), [(0, (b"", False)), (4, (b"whol", False)), (5, (b"whole", True)), (9, (b"whole", True))]
)
async def test_as_much_of_a_body_as_was_asked_for(client: HttpClient, most: int, expected: tuple[bytes, bool]) -> None:
    """And the answer says whether it is all."""
    async with raw_server(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole")) as origin:
        answer = await client.request("POST", origin, seconds=BUSY, body=b"{}", loopback=True, max_body=most)

    assert expected == (answer.body, answer.is_whole)


async def test_of_a_huge_answer_little_is_read(client: HttpClient) -> None:
    """The connection is dropped; the server could write only as much as buffers hold."""
    written = 0

    async def flood(writer: asyncio.StreamWriter) -> None:
        nonlocal written
        writer.write(b"HTTP/1.1 500 Oops\r\nContent-Length: 1000000000\r\n\r\n")
        while written < 100_000_000:
            writer.write(b"x" * 65_536)
            await writer.drain()
            written += 65_536

    async with raw_server(flood) as origin:
        answer = await post(client, origin)
        await asyncio.sleep(0.1)

    assert (500, b"x" * MAX_BODY) == (answer.status, answer.body)
    assert written < 16_000_000


async def test_a_self_signed_certificate_is_refused(
    client: HttpClient, push_service: PushService, tmp_path: Path
) -> None:
    """Nothing is sent to a server that has one."""
    certificate, key = make_certificate(tmp_path, "127.0.0.1")
    port = int(push_service.origin.rpartition(":")[2])
    async with tls_in_front_of(port, certificate, key) as tls_port:
        with pytest.raises(NoAnswerError, match=r"^no connection: ClientConnectorCertificateError$"):
            await post(client, f"https://127.0.0.1:{tls_port}/x")

    assert 0 == push_service.requests


async def test_a_redirect_is_an_answer(client: HttpClient, push_service: PushService) -> None:
    """Following it would call an unchecked host."""
    elsewhere = push_service.subscribe().endpoint
    head = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: {elsewhere}\r\nContent-Length: 0\r\n\r\n"
    async with raw_server(answering(head.encode())) as origin:
        answer = await post(client, origin)

    assert (307, elsewhere, 0) == (answer.status, answer.headers["location"], push_service.requests)


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "10.0.0.1"])
@pytest.mark.parametrize("loopback", [False, True])
async def test_a_name_that_leads_home_is_not_connected_to(
    client: HttpClient, monkeypatch: pytest.MonkeyPatch, address: str, loopback: bool
) -> None:
    """Whatever DNS says, the address itself must be public; `loopback` allows this machine alone."""
    monkeypatch.setattr("aiohttp.connector.DefaultResolver", lambda **_: Rebinding(address))
    allowed = loopback and address == "127.0.0.1"
    reason = "no connection" if allowed else f"{address}, which is not a public address"
    with pytest.raises(NoAnswerError, match=reason):
        await client.request("POST", "https://fcm.googleapis.com:1/x", seconds=BUSY, loopback=loopback)


async def test_this_machine_is_called_only_if_the_feature_may(client: HttpClient, push_service: PushService) -> None:
    """One feature that may call this machine does not open the way for others."""
    url = push_service.subscribe().endpoint
    await post(client, url)
    with pytest.raises(NoAnswerError, match="not a public address"):
        await client.request("GET", url, seconds=BUSY)

    assert 1 == push_service.requests
