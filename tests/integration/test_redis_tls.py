"""Redis over TLS with a private certificate: refused, unless the operator configures trust."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from queue_lib.broker.base import Setup
from queue_lib.broker.bullmq.broker import BullMQBroker
from queue_lib.broker.connection import client, options, synchronous_client
from queue_lib.broker.preflight import check_redis
from queue_lib.broker.rq.broker import RQBroker
from queue_lib.errors import ConfigurationError
from queue_lib.job import State
from tests.support.tls import make_certificate, tls_in_front_of
from tests.support.wire_kit import PREFIX, QUEUE, redis_kit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.redis_server import RedisServer


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A self-signed certificate and its key."""
    return make_certificate(tmp_path)


@pytest.fixture
async def url(redis_server: RedisServer, certificate: tuple[Path, Path]) -> AsyncIterator[str]:
    """A Redis behind that certificate."""
    async with tls_in_front_of(redis_server.port, *certificate) as port:
        yield f"rediss://127.0.0.1:{port}"


async def test_an_unknown_certificate_is_refused_with_what_to_set(url: str) -> None:
    """It is a fault at start, whose line names both settings."""
    with pytest.raises(ConfigurationError, match=r"can't be verified; set REDIS_TLS_CA .* REDIS_TLS_INSECURE=1"):
        await check_redis(options(url))


@pytest.mark.parametrize("way", ["ca", "insecure"])
async def test_both_ways_to_trust_it(url: str, certificate: tuple[Path, Path], way: str) -> None:
    """With the CA's file, or with verification switched off, the worker's clients of both kinds connect."""
    trusted: dict[str, Any] = {"ca": str(certificate[0])} if way == "ca" else {"insecure": True}
    parts = options(url, **trusted)
    await check_redis(parts)
    asynchronous = client(parts, decode=True, name="test")
    assert await asynchronous.ping()
    await asynchronous.aclose()


async def test_another_certificate_is_refused(url: str, tmp_path: Path) -> None:
    """A CA that has not signed the certificate does not help."""
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(ConfigurationError, match=r"^REDIS_TLS_CA: .* has a certificate that this CA has not signed$"):
        await check_redis(options(url, ca=str(make_certificate(other)[0])))


async def test_the_synchronous_client_too(url: str, certificate: tuple[Path, Path]) -> None:
    """RQ's own client takes the same options."""
    synchronous = synchronous_client(options(url, ca=str(certificate[0])), name="test")
    assert await asyncio.to_thread(synchronous.ping)
    synchronous.close()


@pytest.mark.parametrize("wire", ["bullmq", "rq"])
async def test_a_job_over_tls(url: str, wire: str, redis_url: str, certificate: tuple[Path, Path]) -> None:
    """Both wires claim and settle their jobs over TLS; the producer is on the same Redis without."""
    async with redis_kit(redis_url, wire) as kit:
        job_id = await kit.enqueue("greet", {})
        name = {"bullmq": BullMQBroker, "rq": RQBroker}[wire]
        parts = options(url, ca=str(certificate[0]))
        setup = Setup(redis=parts, prefix=PREFIX, lease_duration=30, worker_name="tls", observe=kit.events.append)
        broker: Any = name([QUEUE], setup)
        await broker.start()
        kit.brokers.append(broker)
        await (await kit.claim(broker)).done({"sent": 1})
        assert State.COMPLETED == (await kit.view(job_id)).state
