"""A push service for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from embedded.push_service import SUBJECT, Answer, PushService, Received, make_vapid_keys
from processors.outbound import HttpClient
from processors.push.endpoints import AllowedHosts
from processors.push.send import PushSender
from processors.push.vapid import VapidSigner, parse_private_key
from tests.support.polling import BUSY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

__all__ = ["SUBJECT", "Answer", "PushService", "Received", "make_vapid_keys", "push_service", "senders", "vapid_keys"]


@pytest.fixture(scope="session")
def vapid_keys() -> tuple[str, str]:
    """A private and a public VAPID key, in base64url."""
    return make_vapid_keys()


@pytest.fixture
async def push_service(vapid_keys: tuple[str, str]) -> AsyncIterator[PushService]:
    """A running push service whose devices subscribed with `vapid_keys`."""
    service = PushService(vapid_keys[1])
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
async def senders() -> AsyncIterator[Callable[..., PushSender]]:
    """Makes senders with these private keys, the current one first; their connections are closed at the end."""
    http = HttpClient()

    def make(*private_keys: str, allowed: AllowedHosts | None = None) -> PushSender:
        signers = [VapidSigner(parse_private_key(key), SUBJECT) for key in private_keys]
        return PushSender(signers, allowed or AllowedHosts(local=True), http, BUSY)

    yield make
    await http.close()
