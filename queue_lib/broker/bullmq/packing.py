"""Jobs as `add_many.lua` takes them: what the package's Job and its `addJobArgs` make, in a third of the time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgpack
from bullmq.job import optsEncodeMap

from queue_lib.addition import json_of
from queue_lib.broker.bullmq.parse import MS
from queue_lib.broker.bullmq.producer import options
from queue_lib.chore import PackedJob

if TYPE_CHECKING:
    from queue_lib.addition import NewJob

PACKER = msgpack.Packer()


def packed(job: NewJob, prefix: str) -> PackedJob:
    """The job, checked. `prefix` is that of the keys. Raises PermanentError for what BullMQ or any wire can't do."""
    addition = job.addition
    addition.check_options()
    found = options(addition)
    data = json_of(addition.data)
    key = f"{prefix}:{job.queue}:"
    same = addition.deduplication and f"{key}de:{addition.deduplication.id}"
    parent = repeat = None
    about = [key, addition.job_id or "", addition.name, round(time.time() * MS), parent, parent, parent, repeat, same]
    short = {"attempts": 0, "delay": 0, "backoff": None}
    for name, value in found.items():
        short[optsEncodeMap.get(name, name)] = value
    kind = "delayed" if short["delay"] else "prioritized" if addition.priority else "standard"
    return PackedJob(job.queue, (kind, PACKER.pack(about), data, PACKER.pack(short)))
