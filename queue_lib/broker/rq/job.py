"""RQ's Job with its dangerous parts taken out.

A stock worker imports and calls whatever the job's hash names: `os.system`, `eval`, methods of an instance, callbacks,
and it fetches the URLs of webhooks. Here the function's name is a name and nothing more.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, NoReturn

from rq.job import Job as StockJob

from queue_lib.broker.rq.lanes import kept_key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from queue_lib.queues import Queue

MAX_DATA = 4 * 1024 * 1024  # bytes of a job's data, uncompressed; the zlib bomb ends here
FORBIDDEN = (
    b"success_callback_name",
    b"failure_callback_name",
    b"stopped_callback_name",
    b"webhooks",
)
CALLBACKS = [f"{when}_callback_{what}" for when in ("success", "failure", "stopped") for what in ("name", "timeout")]
PRODUCERS = frozenset(["data", "webhooks", *CALLBACKS])


class GuardedJob(StockJob):
    """A job that can be kept, moved and settled, but not performed."""

    left_to_queue: frozenset[str] = frozenset()  # options that the producer did not choose: never written
    kept: str | None = None  # the list of the finished jobs that the queue keeps, if it says how long this one stays

    def leave_to(self, queue: Queue) -> None:
        """Stay as long as the queue says, where the producer did not choose."""
        defaults = {"result_ttl": queue.keep_completed.age, "failure_ttl": queue.keep_failed.age}
        self.left_to_queue = frozenset(name for name in defaults if getattr(self, name) is None)
        for name in self.left_to_queue:
            setattr(self, name, int(defaults[name]))
        if "result_ttl" in self.left_to_queue and queue.keep_completed.count is not None:
            self.kept = kept_key(queue.name)

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
        """Restore from the hash, without callbacks and webhooks."""
        super().restore({key: value for key, value in raw_data.items() if key not in FORBIDDEN})

    def to_dict(self, include_meta: bool = True, include_result: bool = True) -> dict[str, object]:  # noqa: FBT001, FBT002
        """What `save` writes: never what only a producer may change, so that it stays as it was, readable or not.

        RQ saves dependents through this class, too, and they may belong to other workers.
        """
        fields = super().to_dict(include_meta, include_result)
        return {name: value for name, value in fields.items() if name not in PRODUCERS | self.left_to_queue}


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


def decompressed(data: bytes) -> bytes:
    """The job's data, unpacked to 4 MiB at most. Raises ValueError above that."""
    unpacker = zlib.decompressobj()
    try:
        unpacked = unpacker.decompress(data, MAX_DATA + 1)
    except zlib.error:
        unpacked = data  # RQ accepts plain JSON, too
    if len(unpacked) > MAX_DATA:
        msg = "its payload is larger than 4 MiB, the most that a job of RQ may have"
        raise ValueError(msg)
    return unpacked
