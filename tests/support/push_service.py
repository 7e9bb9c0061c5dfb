"""A push service for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from embedded.push_service import SUBJECT, Answer, PushService, Received, make_vapid_keys

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["SUBJECT", "Answer", "PushService", "Received", "make_vapid_keys", "push_service", "vapid_keys"]


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
