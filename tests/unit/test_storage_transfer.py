"""Transfers: their limits, and how they end when the caller is gone."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from storage.errors import ObjectTooLargeError
from storage.objects.transfer import Stop, StoppedError, in_thread, save

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def test_save_refuses_in_mid_stream(tmp_path: Path) -> None:
    """A stream longer than declared is cut before the chunk that exceeds it, and the file is removed."""
    target = tmp_path / "target"
    sizes = []

    def chunks() -> Iterator[bytes]:
        for _ in range(3):
            yield b"1234"
            sizes.append(target.stat().st_size)

    with pytest.raises(ObjectTooLargeError):
        save(chunks(), target, 10, Stop())

    assert (2, False) == (len(sizes), target.exists())


def test_save_stops(tmp_path: Path) -> None:
    """A stopped transfer ends before its next chunk, and the file is removed."""
    stop = Stop()
    stop.set()

    with pytest.raises(StoppedError):
        save([b"1"], tmp_path / "target", 10, stop)

    assert not (tmp_path / "target").exists()


async def test_cancelling_stops_the_thread() -> None:
    """The cancelled caller returns at once."""
    began, seen = threading.Event(), threading.Event()

    def work(stop: Stop) -> None:
        began.set()
        try:
            while True:
                stop.check()
        finally:
            seen.set()

    task = asyncio.create_task(in_thread(None, work))
    await asyncio.to_thread(began.wait, 5)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(seen.wait, 5)
