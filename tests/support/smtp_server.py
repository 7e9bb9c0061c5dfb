"""The mail server of this machine, for tests; with TLS its certificate is self-signed."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest

from embedded.smtp_server import SmtpServer
from tests.support.tls import make_certificate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def smtp_server() -> AsyncIterator[SmtpServer]:
    """A server that takes everything, on a port of its own."""
    server = SmtpServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture(scope="session")
def smtp_certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1, and its key."""
    return make_certificate(tmp_path_factory.mktemp("smtp"), "127.0.0.1")


@pytest.fixture
def smtp_tls(smtp_certificate: tuple[Path, Path]) -> ssl.SSLContext:
    """What a server with that certificate speaks TLS with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*smtp_certificate)
    return context
