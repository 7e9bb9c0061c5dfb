"""A real Valkey, or the server that REDIS_TEST_SERVER names, for the test session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from embedded.redis_server import RedisServer
from tests.support.programs import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["RedisServer", "redis_server", "redis_url"]

RedisServer.program = ServerSettings().redis_test_server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """The server that all tests share. A test that stops a server makes one of its own."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The URL of the shared server, emptied for this test."""
    redis_server.flush()
    return redis_server.url
