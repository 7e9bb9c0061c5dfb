"""What a child process may use, and how it is tied to its parent."""

from __future__ import annotations

import ctypes
import functools
import os
import resource
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MEBIBYTE = 1024 * 1024
PROBING = 160 * MEBIBYTE  # for a task that has not reserved anything yet: headers, and the libraries' own
SLACK = 64 * MEBIBYTE  # beyond what was reserved: buffers, fragmentation, stacks
ADDRESS_SPACE = 2048 * MEBIBYTE  # beyond twice the memory: threads' arenas and mapped libraries are address space only
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Limits:
    """`cpu` and `wall` in seconds, `file` in bytes: the largest file that may be written.

    `patience`: seconds that the task waits for memory. Its slot waits with it, and no other job can have that one.
    """

    cpu: int
    wall: float
    file: int
    patience: float = 10.0


def apply(cpu: int, file: int) -> None:
    """Limit this process and all that it starts: processor time, size of files; no core dumps."""
    # The hard limit is a second later: a child that survives SIGXCPU gets SIGKILL there.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file, file))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def limit_memory(more: int) -> None:
    """Allow this process, and each that it starts, `more` bytes beyond what it has. Beyond that: MemoryError.

    What is counted is private writable memory. The address space has a coarse limit as well. Linux alone has both.
    """
    if sys.platform != "linux":
        return
    data = _data_size() + more
    for kind, value in ((resource.RLIMIT_DATA, data), (resource.RLIMIT_AS, 2 * data + ADDRESS_SPACE)):
        _, hard = resource.getrlimit(kind)
        if hard == resource.RLIM_INFINITY or value <= hard:
            resource.setrlimit(kind, (value, hard))


def _data_size() -> int:
    """Bytes of private writable memory of this process, as RLIMIT_DATA counts them."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmData:")) * 1024


def tie() -> Callable[[], None]:
    """For `preexec_fn` of a process that this one starts: it is killed when this one ends, as by `die_with`."""
    return functools.partial(die_with, os.getpid())


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the process `parent`, which has started it, ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
