"""Landlock (Linux 5.13 and later): a child may write only in its own folder, and signal only its own processes.

It needs no privilege, but PR_SET_NO_NEW_PRIVS, which `kernel.disarm` sets. All that the child starts inherits it.
See https://docs.kernel.org/userspace-api/landlock.html; the numbers are the same on all architectures but Alpha.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # system calls
VERSION = 1  # flag of CREATE_RULESET: return the version of the interface
PATH_BENEATH = 1  # kind of rule
MISSING = (errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM)  # not in the kernel, not enabled, not allowed

WRITE_FILE, REFER, TRUNCATE, IOCTL_DEV = 1 << 1, 1 << 13, 1 << 14, 1 << 15
REMOVE_AND_MAKE = 0b1_1111_1111 << 4  # directories, files, devices, sockets, pipes, links: bits 4 to 12
LATER = {2: REFER, 3: TRUNCATE, 5: IOCTL_DEV}  # version -> the right that it added
SCOPES_SINCE = 6
SCOPES = 0b11  # abstract Unix sockets and signals stay among this process and its descendants


def confine(folder: str) -> bool:
    """Let this process write only below `folder` and to the null device, and signal only what it has started.

    Returns False, and changes nothing, if the kernel does not support it. Raises OSError if the kernel refuses it.
    """
    version = offered()
    if version == 0:
        return False
    write = _rights(version)
    scopes = SCOPES if version >= SCOPES_SINCE else 0
    # An older kernel has a shorter structure, and accepts a longer one if the rest is zero.
    attributes = struct.pack("=QQQ", write, 0, scopes)
    ruleset = _call(CREATE_RULESET, attributes, len(attributes), 0)
    try:
        _allow(ruleset, folder, write)
        _allow(ruleset, os.devnull, write & (WRITE_FILE | TRUNCATE | IOCTL_DEV))
        _call(RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return True


def offered() -> int:
    """The version of Landlock in this kernel; 0 if it has none."""
    if sys.platform != "linux":
        return 0
    try:
        return _call(CREATE_RULESET, None, 0, VERSION)
    except OSError as error:
        if error.errno in MISSING:
            return 0
        raise


def _rights(version: int) -> int:
    """All rights to change files that this version can restrict."""
    return WRITE_FILE | REMOVE_AND_MAKE | sum(right for since, right in LATER.items() if since <= version)


def _allow(ruleset: int, path: str, rights: int) -> None:
    parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        _call(ADD_RULE, ruleset, PATH_BENEATH, struct.pack("=Qi", rights, parent), 0)
    finally:
        os.close(parent)


def _call(number: int, *arguments: bytes | int | None) -> int:
    """Make a system call. Raises OSError."""
    wide = (each if isinstance(each, bytes | None) else ctypes.c_long(each) for each in arguments)
    answer: int = ctypes.CDLL(None, use_errno=True).syscall(ctypes.c_long(number), *wide)
    if answer < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), f"Landlock's system call {number}")
    return answer
