"""Events of both wires become one mail, although their workers are killed: in the window, and while it is sent.

The worker is run by this file as a script, which ends it with its second event if DIE is set.
"""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import worker
from queue_lib.broker.board import RedisBoard
from tests.support.mail_kills import WatchedServer
from tests.support.polling import PATIENCE, until
from tests.support.worker_process import WorkerProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.wires import Mess

QUEUE, WINDOW, EVENTS = "email", 3, 3
PEOPLE = ("ada@example.com", "bob@example.com")


@pytest.fixture
async def server() -> AsyncIterator[WatchedServer]:
    """A mail server."""
    server = WatchedServer()
    await server.start()
    yield server
    await server.stop()


async def test_a_worker_that_is_killed_in_a_window_loses_no_event(mess: Mess, server: WatchedServer) -> None:
    """Each event is in one mail, and no mail comes twice. Ada's first event is of BullMQ, and Bob's of RQ."""
    for n in range(EVENTS):
        for is_rq, to in enumerate(PEOPLE):
            if (n + is_rq) % 2:
                mess.rq("generic", event(to, n), queue=QUEUE)
            else:
                await mess.bullmq("generic", event(to, n), queue=QUEUE)
    async with started(mess, server, DIE="1") as in_the_window:
        assert -signal.SIGKILL == await in_the_window.wait(30)
    async with started(mess, server) as while_sending:
        server.step, server.at_step = "RCPT", while_sending.process.kill
        assert -signal.SIGKILL == await while_sending.wait(30)
    async with started(mess, server) as last:
        await until(lambda: counted(server) == dict.fromkeys(PEOPLE, EVENTS), why=lambda: counted(server))
        status, _ = await last.terminate(PATIENCE)

    assert 0 == status
    assert counted(server) == dict.fromkeys(PEOPLE, EVENTS)
    assert len(server.received) == len({mail.message["Message-ID"] for mail in server.received})
    assert {"done"} == {line["outcome"] for line in last.lines("job_done")}
    assert {} == await mess.dead_letters()


def counted(server: WatchedServer) -> dict[str, int]:
    """How many events the mails tell each person of."""
    counts = dict.fromkeys(PEOPLE, 0)
    for mail in server.received:
        [to], found = mail.recipients, re.match(r"(\d+) new", str(mail.message["Subject"]))
        counts[to] += int(found[1]) if found else 1
    return counts


def event(to: str, n: int) -> dict[str, Any]:
    """A job's data."""
    collapse = {"key": "general", "window": WINDOW, "template": "{{count}} new messages"}
    return {"to": to, "subject": f"message {n}", "text": "Hello", "collapse": collapse}


def started(mess: Mess, server: WatchedServer, **env: str) -> WorkerProcess:
    """A worker that sends mails."""
    own = {
        "REDIS_URL": mess.url,
        "QUEUES": QUEUE,
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(server.port),
        "MAIL_FROM": "app@app.example",
        "LEASE_DURATION": "1",
        "EMAIL_CONCURRENCY": "1",  # else the kill at RCPT may meet another mail after its last byte
    }
    return WorkerProcess({**own, **env}, mess.folder, Path(__file__))


def die_with_the_second_event() -> None:
    """Kill this process when the event is in its gathering, and the end of its job is not recorded."""
    gather, seen = RedisBoard.gather, []

    async def gather_and_die(*given: Any) -> Any:
        gathered = await gather(*given)
        seen.append(gathered)
        if len(seen) > 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return gathered

    RedisBoard.gather = gather_and_die  # type: ignore[method-assign, assignment]


if __name__ == "__main__":
    if os.environ.get("DIE"):  # noqa: TID251 -- this script's own
        die_with_the_second_event()
    worker.main()
