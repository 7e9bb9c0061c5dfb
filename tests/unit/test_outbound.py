"""The HTTP client of all features, where no connection is needed."""

from __future__ import annotations

import resource
import subprocess
import sys
from asyncio import sslproto

import pytest

from processors.outbound import MAX_CONNECTIONS, HttpClient, most_connections
from processors.outbound_session import TLS_BUFFER


def test_aiohttp_is_not_imported_before_the_first_request() -> None:
    """A worker that calls no server does not pay for it."""
    code = "import sys; from processors.outbound import HttpClient; HttpClient(); sys.exit('aiohttp' in sys.modules)"

    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode


async def test_an_unused_client_has_nothing_to_close() -> None:
    """Every process closes it at its end."""
    await HttpClient().close()


async def test_a_connection_sets_little_memory_aside() -> None:
    """Hundreds are open at once: asyncio's own buffer of 256 KiB each would be most of the worker's memory."""
    client = HttpClient()
    client._open(loopback=False, trusted=False)
    await client.close()

    assert (TLS_BUFFER, 16_384) == (sslproto.SSLProtocol.max_size, TLS_BUFFER)


@pytest.mark.parametrize(
    ("descriptors", "most"),
    [(256, 128), (1_048_576, MAX_CONNECTIONS), (resource.RLIM_INFINITY, MAX_CONNECTIONS)],
)
def test_half_of_the_file_descriptors_are_left(monkeypatch: pytest.MonkeyPatch, descriptors: int, most: int) -> None:
    """For Redis, the database and files; no process needs more than a thousand connections."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (descriptors, descriptors))

    assert most == most_connections()
