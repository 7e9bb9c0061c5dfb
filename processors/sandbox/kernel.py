"""Calls to the Linux kernel that restrict children. On other systems children run without these restrictions."""

from __future__ import annotations

import ctypes
import sys

PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 4, 36, 38
CAPABILITIES_VERSION = 0x20080522
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000


def hide() -> None:
    """Keep other processes of this user from reading this one's memory and environment, and from tracing it.

    The price: no core dumps, and only root can read /proc/<pid>/smaps or attach a debugger. Linux only.
    """
    _prctl(PR_SET_DUMPABLE, 0)


def adopt() -> None:
    """Become the parent of all orphans of this process's children, whatever session they are in."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def disarm() -> None:
    """Drop root's privileges for this process and all that it starts. The user stays the same."""
    if sys.platform != "linux":
        return
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    header, none = (ctypes.c_uint32 * 2)(CAPABILITIES_VERSION, 0), (ctypes.c_uint32 * 6)()
    ctypes.CDLL(None).capset(header, none)


def disconnect() -> bool:
    """Leave the network, including the loopback; returns False if that is not allowed.

    It needs no privilege, but a process with one thread, and user namespaces, which many containers lack.
    """
    if sys.platform != "linux":
        return False
    status: int = ctypes.CDLL(None).unshare(CLONE_NEWUSER | CLONE_NEWNET)
    return status == 0


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
