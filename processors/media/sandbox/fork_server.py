"""The fork server: a process with one thread, the encoders loaded and no secret, which forks a child for each task.

    python -m processors.media.sandbox.fork_server CONTROL

CONTROL is the number of a socket. The server writes a line to it when it is ready, and nothing to standard error from
then on: what it inherits, children do, and they write what hostile bytes tell them. For each task a byte and two
sockets come over it: the child talks on the first, the server itself says on the second how the child has ended. When
the worker closes the second, the child is killed, with all that it has started; when it closes CONTROL, or is gone, so
is everything.
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

from processors.media.sandbox import child, kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

PRELOADED = ("image",)
ROUNDS = 100  # of killing strays, which may have started others meanwhile


class Server:
    """Forks, kills and buries."""

    def __init__(self, control: socket.socket) -> None:
        """Serve what comes over `control`."""
        self._control = control
        self._selector = selectors.DefaultSelector()
        self._children: dict[int, socket.socket] = {}  # pid -> where its end is told
        self._ear, self._mouth = socket.socketpair()

    def serve(self) -> None:
        """Serve until the worker is gone."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # the worker decides when it is over
        self._ear.setblocking(False)  # noqa: FBT003 -- the socket's own signature
        self._mouth.setblocking(False)  # noqa: FBT003
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._mouth.fileno(), warn_on_full_buffer=False)
        self._selector.register(self._ear, selectors.EVENT_READ, self._bury)
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
        except OSError:  # no memory, or too many processes: the worker sees that there is no child
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
            for other in (self._control, self._ear, self._mouth, ending, *self._children.values()):
                other.close()
            self._selector.close()
            status = child.serve(channel, server)
        finally:
            os._exit(status)

    def _bury(self) -> None:
        with suppress(BlockingIOError):
            while self._ear.recv(4096):
                pass
        over = {pid: status for pid, status in _reaped() if pid in self._children}
        for pid in over:
            _kill(pid)  # what it has left behind; its group has its number as long as one is in it
        self._end_strays()
        for pid, status in over.items():
            self._tell(self._children.pop(pid), status)

    def _end_strays(self) -> None:
        """Kill what children have left behind in a session of its own. It may have no time to touch a result."""
        for _ in range(ROUNDS):
            strays = [pid for pid in _own() if pid not in self._children]
            if not strays:
                return
            for pid in strays:
                _kill(pid)
            for pid in strays:
                with suppress(ChildProcessError):
                    os.waitpid(pid, 0)

    def _tell(self, ending: socket.socket, wait_status: int) -> None:
        self._selector.unregister(ending)
        with suppress(OSError):  # the worker does not listen any more
            ending.sendall(json.dumps({"status": os.waitstatus_to_exitcode(wait_status)}).encode() + b"\n")
        ending.close()

    def _end(self) -> NoReturn:
        for pid in self._children:
            _kill(pid)
        for pid in self._children:
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)
        self._end_strays()
        os._exit(0)


def _reaped() -> Iterator[tuple[int, int]]:
    """The numbers and wait statuses of all child processes that have ended."""
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            yield ended


def _own() -> list[int]:
    """The numbers of this process's children, those that it has adopted included. Linux alone tells, and adopts."""
    me, own = str(os.getpid()), []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            if stat.read_text(errors="replace").rpartition(")")[2].split()[1] == me:
                own.append(int(stat.parent.name))
    return own


def _kill(pid: int) -> None:
    """Kill the child and its group. The child may not have made its group yet."""
    for kill in (os.killpg, os.kill) if pid > 0 else ():
        with suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def main() -> None:
    """Load what children need, give up what they must not have, and serve."""
    control = socket.socket(fileno=int(sys.argv[1]))
    for name in PRELOADED:
        child.task(name)
    gc.freeze()  # a collection in a child would write to, and so copy, all that it shares with the others
    kernel.hide()
    kernel.adopt()
    offline = kernel.disconnect()
    kernel.disarm()
    Path(__file__).stat()  # root without its privileges may not see another user's home, and no task is found there
    control.sendall(json.dumps({"offline": offline}).encode() + b"\n")
    os.dup2(0, 2)  # the null device; until here, the worker hears why there is no sandbox
    Server(control).serve()


if __name__ == "__main__":
    main()
