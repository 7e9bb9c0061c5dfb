"""Several processes of one worker: Python keeps one core busy a process, and a dyno may have more.

The process that is started becomes their leader, which only watches. All stop together: when the leader gets a signal,
and when one of them ends, so that the platform starts the worker anew.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, NoReturn

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.process import BaseProcess

WATCHED = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
LOOK_EVERY = 1.0  # seconds between two looks whether the leader lives


def run_all(mains: Sequence[Callable[[], NoReturn]]) -> NoReturn:
    """Run each of `mains` in a process of its own, a single one in this process, until all have ended.

    Call it from the main thread, before there is another one. The exit status is 0 if theirs are; else 1, and the log
    says which have ended by themselves.
    """
    if len(mains) == 1:
        mains[0]()
    signal.signal(signal.SIGCHLD, lambda *_: None)  # what is ignored can't be waited for
    signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    fork = multiprocessing.get_context("fork")  # they share what is loaded
    members = [fork.Process(target=_be_member, args=(main, os.getpid())) for main in mains]
    for member in members:
        member.start()
    _wait_for_end(members)
    for member in members:
        member.terminate()
    for member in members:
        member.join()
    sys.exit(0 if all(member.exitcode == 0 for member in members) else 1)


def _wait_for_end(members: Sequence[BaseProcess]) -> None:
    """Wait until this process gets a signal to stop, or a member has ended."""
    while signal.sigwait(WATCHED) == signal.SIGCHLD:  # also when one was stopped and goes on
        ended = [(number, member.exitcode) for number, member in enumerate(members) if not member.is_alive()]
        for number, status in ended:
            structlog.get_logger().error("process_ended", process=number, status=status)
        if ended:
            return


def _be_member(main: Callable[[], NoReturn], leader: int) -> NoReturn:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
    threading.Thread(target=_stop_without, args=(leader,), name="leader", daemon=True).start()
    main()


def _stop_without(leader: int) -> None:
    """Stop this process when its leader is gone: after a SIGKILL of the leader nothing else would stop it."""
    while os.getppid() == leader:
        time.sleep(LOOK_EVERY)
    os.kill(os.getpid(), signal.SIGTERM)
