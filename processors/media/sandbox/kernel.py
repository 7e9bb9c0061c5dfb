"""What the Linux kernel is asked to keep from children. Elsewhere they run without."""

from __future__ import annotations

import ctypes
import sys

PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 4, 36, 38
CAPABILITIES_VERSION = 0x20080522
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000


def hide() -> None:
    """Let no other process of this user read the memory and the environment of this one, nor trace it.

    The price: no core dumps, and only root can look at /proc/<pid>/smaps or attach a debugger. Linux alone has this.
    """
    _prctl(PR_SET_DUMPABLE, 0)


def adopt() -> None:
    """Be the parent of all that this process's children leave behind, whatever session it has made its own."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def disarm() -> None:
    """Give up root's privileges, for this process and all that it starts. The user stays the same."""
    if sys.platform != "linux":
        return
    _prctl(PR_SET_NO_NEW_PRIVS, 1)
    header, none = (ctypes.c_uint32 * 2)(CAPABILITIES_VERSION, 0), (ctypes.c_uint32 * 6)()
    ctypes.CDLL(None).capset(header, none)


def disconnect() -> bool:
    """Leave the network, this machine's loopback included; False where that is not allowed.

    Needs no privilege, but a process of one thread, and user namespaces, which many containers do not have.
    """
    if sys.platform != "linux":
        return False
    status: int = ctypes.CDLL(None).unshare(CLONE_NEWUSER | CLONE_NEWNET)
    return status == 0


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
