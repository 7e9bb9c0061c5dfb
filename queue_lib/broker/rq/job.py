"""RQ's Job with its dangerous parts taken out.

A stock worker imports and calls whatever the job's hash names: `os.system`, `eval`, methods of an instance, callbacks,
and it fetches the URLs of webhooks. Here the function's name is a name and nothing more.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, NoReturn

from rq.job import Job as StockJob

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_DATA = 4 * 1024 * 1024  # bytes of a job's data, uncompressed; the zlib bomb ends here
FORBIDDEN = (
    b"success_callback_name",
    b"failure_callback_name",
    b"stopped_callback_name",
    b"webhooks",
)


class GuardedJob(StockJob):
    """A job that can be kept, moved and settled, but not performed."""

    decided_delay: float | None = None

    @property
    def func(self) -> NoReturn:
        """Never resolved."""
        msg = "functions are looked up in the registry, never imported"
        raise PermissionError(msg)

    def perform(self) -> NoReturn:
        """Never called: the runner runs jobs."""
        msg = "jobs are run by the runner"
        raise PermissionError(msg)

    def restore(self, raw_data: Mapping[bytes, bytes]) -> None:
        """Restore from the hash, without callbacks and webhooks, and with a bound on what is decompressed."""
        kept = {key: value for key, value in raw_data.items() if key not in FORBIDDEN}
        if b"data" in kept:
            kept[b"data"] = _decompressed(kept[b"data"])
        super().restore(kept)


def refusal(raw: Mapping[bytes, bytes], job: StockJob) -> str | None:
    """Why a job's shape is not accepted; None if it is."""
    for name in FORBIDDEN:
        if raw.get(name) not in {None, b"", b"[]"}:
            return f"{name.decode()} is set: callbacks and webhooks are not run"
    if job.instance is not None:
        return "it names a method of an instance; enqueue the job's name instead"
    if not isinstance(job.func_name, str):
        return "it names no job"
    if job.kwargs or not isinstance(job.args, list | tuple) or len(job.args) != 1:
        return "it must have one positional argument, the payload, and no keyword arguments"
    return None


def _decompressed(data: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        unpacked = unpacker.decompress(data, MAX_DATA + 1)
    except zlib.error:
        unpacked = data  # RQ accepts plain JSON, too
    if len(unpacked) > MAX_DATA:
        msg = f"the job's data is larger than {MAX_DATA} bytes"
        raise ValueError(msg)
    return unpacked
