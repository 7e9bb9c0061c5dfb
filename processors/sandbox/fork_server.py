"""The fork server: a process with one thread, loaded encoders and no secrets, which forks a child for each task.

    python -m processors.sandbox.fork_server CONTROL TASK...

CONTROL is the descriptor of a socket. The server loads what each TASK imports, and writes a line to CONTROL when it is
ready. From then on standard error is the null device, because children inherit it and hostile bytes may make them write
anything. For each task the worker sends a byte and two sockets over CONTROL. The first is the child's. On the second
the server reports how the child ended; if the worker closes it, the child is killed with all that it has started. If
the worker closes CONTROL, or is gone, the server kills everything and ends.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import socket
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from processors.sandbox import child, kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = 100  # of killing orphans, which may have started others meanwhile


class Server:
    """Forks children, kills them and reaps them."""

    def __init__(self, control: socket.socket) -> None:
        """Serve what comes over `control`."""
        self._control = control
        self._selector = selectors.DefaultSelector()
        self._children: dict[int, socket.socket] = {}  # pid -> the socket on which its end is reported
        self._wakeup, self._waker = socket.socketpair()

    def serve(self) -> None:
        """Serve until the worker closes CONTROL."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # the worker decides when to end
        self._wakeup.setblocking(False)  # noqa: FBT003 -- the socket's own signature
        self._waker.setblocking(False)  # noqa: FBT003
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        self._selector.register(self._wakeup, selectors.EVENT_READ, self._reap)
        self._selector.register(self._control, selectors.EVENT_READ, self._accept)
        while True:
            for key, _ in self._selector.select():
                key.data()

    def _accept(self) -> None:
        message, sockets, _, _ = socket.recv_fds(self._control, 1, 2)
        if not message:
            self._end()
        channel, ending = (socket.socket(fileno=number) for number in sockets)
        try:
            pid = os.fork()
        except OSError:  # no memory, or too many processes: the closed sockets tell the worker
            channel.close()
            ending.close()
            return
        if pid == 0:
            self._be_child(channel, ending)
        channel.close()
        self._children[pid] = ending
        self._selector.register(ending, selectors.EVENT_READ, partial(_kill, pid))

    def _be_child(self, channel: socket.socket, ending: socket.socket) -> NoReturn:
        status = 1
        try:
            server = os.getppid()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for other in (self._control, self._wakeup, self._waker, ending, *self._children.values()):
                other.close()
            self._selector.close()
            status = child.serve(channel, server)
        finally:
            os._exit(status)

    def _reap(self) -> None:
        with suppress(BlockingIOError):
            while self._wakeup.recv(4096):
                pass
        over = {pid: status for pid, status in _reaped() if pid in self._children}
        for pid in over:
            _kill(pid)  # its process group, whose id stays reserved as long as a process is in it
        self._end_orphans()
        for pid, status in over.items():
            self._report_end(self._children.pop(pid), status)

    def _end_orphans(self) -> None:
        """Kill the orphans of children that are in sessions of their own, before they can touch a result."""
        for _ in range(ROUNDS):
            orphans = [pid for pid in _children() if pid not in self._children]
            if not orphans:
                return
            for pid in orphans:
                _kill(pid)
            for pid in orphans:
                with suppress(ChildProcessError):
                    os.waitpid(pid, 0)

    def _report_end(self, ending: socket.socket, wait_status: int) -> None:
        self._selector.unregister(ending)
        with suppress(OSError):  # the worker has closed it
            ending.sendall(json.dumps({"status": os.waitstatus_to_exitcode(wait_status)}).encode() + b"\n")
        ending.close()

    def _end(self) -> NoReturn:
        for pid in self._children:
            _kill(pid)
        for pid in self._children:
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)
        self._end_orphans()
        os._exit(0)


def _reaped() -> Iterator[tuple[int, int]]:
    """The pids and wait statuses of all child processes that have ended."""
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            yield ended


def _children() -> list[int]:
    """The pids of this process's children, including adopted ones. Linux only."""
    me, found = str(os.getpid()), []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            if stat.read_text(errors="replace").rpartition(")")[2].split()[1] == me:
                found.append(int(stat.parent.name))
    return found


def _kill(pid: int) -> None:
    """Kill the child and its process group, which the child may not have made yet."""
    for kill in (os.killpg, os.kill) if pid > 0 else ():
        with suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def main() -> None:
    """Load what children need, drop what they must not have, and serve."""
    control = socket.socket(fileno=int(sys.argv[1]))
    for name in sys.argv[2:]:
        child.task(name)
    gc.freeze()  # a collection in a child would write to all shared memory, and so copy it
    kernel.hide()
    kernel.adopt()
    offline = kernel.disconnect()
    kernel.disarm()
    Path(__file__).stat()  # fail now if root without its privileges can't read the project
    control.sendall(json.dumps({"offline": offline}).encode() + b"\n")
    os.dup2(0, 2)  # the null device; until now errors went to the worker
    Server(control).serve()


if __name__ == "__main__":
    main()
