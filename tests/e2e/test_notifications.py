"""Notifications through the real worker on both wires. It is killed between their steps, and tells each thing once.

The worker is run by this file as a script, which ends it at the step that DIE_AT names.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import worker
from queue_lib.broker.board import RedisBoard
from queue_lib.runner.context import RunContext
from tests.support.worker_process import WorkerProcess

if TYPE_CHECKING:
    from tests.support.wires import Mess

QUEUE, PUSHES = "notifications", "push-notifications"
TABLE = """CREATE TABLE "Notification" ("id" TEXT PRIMARY KEY, "userId" TEXT NOT NULL, "type" TEXT,
    "title" TEXT NOT NULL, "body" TEXT NOT NULL, "readAt" DATETIME,
    "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP)"""


async def test_a_worker_that_is_killed_tells_each_thing_once(mess: Mess) -> None:
    """First behind the rows and before the live message, then behind the push: one row and one push a job remain."""
    sql(mess, TABLE)
    listener: Any
    with mess.redis.pubsub() as listener:  # type: ignore[no-untyped-call]
        listener.psubscribe("notifications:*")
        [first] = await mess.bullmq("user-notification", notice("ada"), queue=QUEUE)
        mess.rq("USER_NOTIFICATION", notice("bob"), queue=QUEUE)
        for step in ("publish", "push"):
            async with started(mess, DIE_AT=step) as dying:
                assert -signal.SIGKILL == await dying.wait(30)
        async with started(mess) as last:
            await last.logged("job_done", 2)

        messages = iter(lambda: listener.get_message(timeout=0.1), None)
        heard = {each["channel"].decode(): json.loads(each["data"]) for each in messages if each["type"] == "pmessage"}

    rows = {user: row_id for row_id, user in sql(mess, 'SELECT "id", "userId" FROM "Notification"')}
    assert {"ada", "bob"} == rows.keys()
    assert {
        f"notifications:{user}": {"id": row_id, "type": "info", "title": "Hello", "unread": 1}
        for user, row_id in rows.items()
    } == heard
    assert 2 == len(sql(mess, 'SELECT * FROM "Notification"'))
    assert (1, 1) == (mess.redis.llen(f"bull:{PUSHES}:wait"), mess.lane(PUSHES).count)
    result = json.loads(str(mess.redis.hget(f"bull:{QUEUE}:{first}", "returnvalue"), "utf-8"))  # type: ignore[arg-type]
    assert (rows["ada"], 1, 1) == (result["id"], result["created"], result["published"])
    assert mess.redis.exists(f"bull:{PUSHES}:{result['push']}")


def notice(user: str) -> dict[str, Any]:
    """A job's data."""
    return {"userId": user, "title": "Hello", "channels": ["in-app", "push"]}


def started(mess: Mess, **env: str) -> WorkerProcess:
    """The worker of an app that has nothing but the table."""
    own = {
        "REDIS_URL": mess.url,
        "DATABASE_URL": f"sqlite:///{mess.folder}/app.db",
        "NOTIFICATION_TABLE": "Notification",
        "LEASE_DURATION": "1",
    }
    return WorkerProcess({**own, **env}, mess.folder, Path(__file__))


def sql(mess: Mess, statement: str) -> list[Any]:
    """Run a statement as the app would."""
    with closing(sqlite3.connect(mess.folder / "app.db", isolation_level=None)) as connection:
        return connection.execute(statement).fetchall()


def die_at(step: str) -> None:
    """Kill this process before it publishes, or when it has added a push."""
    if step == "publish":

        async def publish(*_: Any) -> list[int]:
            return die()

        RedisBoard.publish = publish  # type: ignore[method-assign, assignment]
    else:
        enqueue = RunContext.enqueue

        async def add(*given: Any) -> str:
            await enqueue(*given)
            return str(die())

        RunContext.enqueue = add  # type: ignore[assignment]


def die() -> list[int]:
    """As a failure of the machine does."""
    os.kill(os.getpid(), signal.SIGKILL)
    return []


if __name__ == "__main__":
    if step := os.environ.get("DIE_AT"):  # noqa: TID251 -- this script's own
        die_at(step)
    worker.main()
