"""What an operator may see and do, on both wires at once. The API, the dashboard and the scripts are faces of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from queue_lib.admin.dead_letters import DeadLetterAdmin
from queue_lib.admin.jobs import JobAdmin
from queue_lib.admin.lists import JobLists
from queue_lib.admin.outbox import reported
from queue_lib.admin.queues import QueueAdmin
from queue_lib.admin.schedules import ScheduleAdmin
from queue_lib.admin.workers import WorkerAdmin
from queue_lib.cancel_key import CANCELLED_FOR, checked

if TYPE_CHECKING:
    from queue_lib.admin.backends import Backends
    from queue_lib.admin.outbox import OutboxView

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class Admin:
    """One operator's queues, jobs, schedules, dead letters and workers.

    Each action is a line in the log with the operator's name.

    Every call may raise BrokerUnavailableError; one that acts on a wire may raise PermanentError if it is not served.
    """

    def __init__(self, backends: Backends, *, by: str) -> None:
        """`by` is the operator's name."""
        log = _log.bind(by=by)
        self._backends = backends
        self._log = log
        self.wires = tuple(inspector.wire for inspector in backends.inspectors)
        self.queues = QueueAdmin(backends, log)
        self.jobs = JobAdmin(backends, log)
        self.lists = JobLists(backends)
        self.dead_letters = DeadLetterAdmin(backends, log)
        self.schedules = ScheduleAdmin(backends, log)
        self.workers = WorkerAdmin(backends)

    def acting(self, by: str) -> Admin:
        """The same for another operator."""
        return Admin(self._backends, by=by)

    async def cancel(self, key: str, seconds: float = CANCELLED_FOR) -> None:
        """Take back all jobs with this cancel key that were added until now, for so many seconds.

        The log does not have the key, which may name a user. Raises PermanentError for what is no key.
        """
        await self._backends.board.cancel(checked(key, seconds), seconds)
        self._log.info("jobs_cancelled")

    async def outbox(self) -> OutboxView | None:
        """The app's outbox, as a publisher has seen it within the last minute; None if none has told of one."""
        return await reported(self._backends.board)

    async def check(self) -> None:
        """Raise BrokerUnavailableError, which says why, unless the server takes jobs."""
        await self._backends.inspectors[0].check_server()
