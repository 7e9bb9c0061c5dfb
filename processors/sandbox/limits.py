"""The limits of a child process, and how it ends with its parent."""

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
PROBING = 160 * MEBIBYTE  # before a task has reserved memory: for headers, and for libraries
SLACK = 64 * MEBIBYTE  # beyond the reserved memory: buffers, fragmentation, stacks
ADDRESS_SPACE = (
    2048 * MEBIBYTE
)  # beyond twice the memory: arenas of threads and mapped libraries use address space only
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Limits:
    """`cpu` and `wall` are seconds; `file` is the largest file that may be written, in bytes.

    `patience`: seconds that the task waits for memory. It keeps its slot while it waits.
    """

    cpu: int
    wall: float
    file: int
    patience: float = 10.0


def apply(cpu: int, file: int) -> None:
    """Limit processor time and file size of this process and all that it starts; no core dumps."""
    # The hard limit is a second later: a child that survives SIGXCPU gets SIGKILL then.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file, file))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def limit_memory(more: int) -> None:
    """Allow this process, and each that it starts, `more` bytes beyond what it has; then it gets MemoryError.

    Private writable memory is counted. The address space has a coarse limit as well. Linux only.
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
    """A `preexec_fn` for a process that this one starts: it is killed when this one ends (see `die_with`)."""
    return functools.partial(die_with, os.getpid())


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent process, `parent`, ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
