"""The sandbox of a process: one for all features, made for the first that asks, with one budget of memory."""

from __future__ import annotations

import asyncio

import pytest

from processors.sandbox.client import Sandbox
from processors.sandbox.limits import MEBIBYTE
from processors.sandbox.settings import PlatformSettings, SandboxSettings
from processors.sandbox.shared import SharedSandbox
from queue_lib.errors import PermanentError, SnoozeError
from queue_lib.feature import Served
from queue_lib.settings import WorkerSettings

NOW = 0.01  # seconds of patience


def shared() -> SharedSandbox:
    """That of a worker with 128 MiB."""
    values = (PlatformSettings(), SandboxSettings(media_memory=128))
    worker = WorkerSettings(redis_url="redis://unused")
    return SharedSandbox(Served(worker=worker, queues=(), features=(), settings={type(each): each for each in values}))


async def test_features_get_the_same_sandbox() -> None:
    """It loads what each of them needs."""
    sandboxes = shared()
    first, second = sandboxes.open("image"), sandboxes.open("mail", "image")

    assert first is second
    assert ["image", "mail"] == [*first._preloaded]
    await sandboxes.close()


async def test_closing_makes_none() -> None:
    """A worker without such a feature ends as before."""
    sandboxes = shared()
    await sandboxes.close()

    assert sandboxes._sandbox is None


async def wants(sandbox: Sandbox, mebibytes: int, error: type[BaseException] | None = None) -> None:
    """Hold memory for a moment, and end with the error."""
    async with sandbox.reserved(mebibytes * MEBIBYTE, NOW):
        if error is not None:
            raise error


async def test_work_in_the_worker_itself_has_the_same_budget() -> None:
    """What one holds, another waits for; it comes back when the work ends, however it ends."""
    sandbox = Sandbox(memory=100 * MEBIBYTE)

    async with sandbox.reserved(60 * MEBIBYTE):
        with pytest.raises(SnoozeError, match="others have the 50 MiB"):
            await wants(sandbox, 50)
    for _ in range(3):
        with pytest.raises(KeyError):
            await wants(sandbox, 50, KeyError)


async def test_what_never_fits_fails() -> None:
    """At once, and for good."""
    with pytest.raises(PermanentError, match="needs about 101 MiB of memory, more than MEDIA_MEMORY allows"):
        async with Sandbox(memory=100 * MEBIBYTE).reserved(101 * MEBIBYTE):
            pass


async def test_a_time_out_of_the_work_itself_is_not_taken_for_a_wait() -> None:
    """Only the wait for memory is put off."""
    with pytest.raises(TimeoutError):
        async with Sandbox(memory=MEBIBYTE).reserved(MEBIBYTE), asyncio.timeout(0):
            await asyncio.sleep(60)
