"""The orders of RQ's tools to a worker, as `send_stop_job_command` and `send_shutdown_command` send them."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING, Any

import structlog
from redis.exceptions import NoPermissionError
from rq.command import PUBSUB_CHANNEL_TEMPLATE

from queue_lib.broker.trouble import describe, outages_translated
from queue_lib.errors import BrokerRefusedError, Trouble

if TYPE_CHECKING:
    from collections.abc import Sequence

    import redis.asyncio

    from queue_lib.broker.held import Held
    from queue_lib.broker.rq.lease import RQLease

SILENCE = 20.0  # seconds after which it is asked whether the server is there, and still the one of its name
STOPPED = "stopped on request (RQ's {})"


class Orders:
    """Heeds the orders for one worker. While it does not listen orders are lost, as with RQ's own workers."""

    def __init__(self, client: redis.asyncio.Redis, worker: str, held: Held[RQLease]) -> None:
        """`client` is this object's alone; `held` are the leases of the jobs that run."""
        self._client = client
        self._channel = PUBSUB_CHANNEL_TEMPLATE % worker
        self._held = held
        self._log = structlog.get_logger()

    async def heed(self) -> None:
        """Listen for ever. Raises BrokerUnavailableError when the connection breaks.

        BrokerRefusedError if the user may not listen: jobs run nevertheless, so nothing else would show it.
        """
        with outages_translated():
            try:
                await self._listen()
            except NoPermissionError as error:
                raise BrokerRefusedError(describe(error), Trouble.FORBIDDEN) from error

    async def _listen(self) -> None:
        async with self._client.pubsub(ignore_subscribe_messages=True) as channel:
            await channel.subscribe(self._channel)
            while True:
                message = await channel.get_message(timeout=SILENCE)
                if message is not None:
                    self.obey(message["data"])
                else:
                    channel.connection.check_server()  # only those that send commands do so by themselves

    def obey(self, order: bytes) -> None:
        """Do as one order says. Anything else is logged, and ignored."""
        match _parsed(order):
            case {"command": "stop-job" as command, "job_id": str(job_id)}:
                self._stop(command, job_id, [lease for lease in self._held if lease.job.id == job_id])
            case {"command": "stop-execution" as command, "execution_id": str(execution_id)}:
                self._stop(command, execution_id, [each for each in self._held if each.execution.id == execution_id])
            case {"command": "shutdown" as command}:
                self._log.info("rq_order", order=command)
                os.kill(os.getpid(), signal.SIGINT)  # as RQ's worker does
            case {"command": "kill-horse" as command}:
                self._ignore(command, "jobs run in this process: send stop-job")
            case _:
                self._ignore("", "it is none of RQ's")

    def _stop(self, command: str, wanted: str, leases: Sequence[RQLease]) -> None:
        for lease in leases:
            self._log.info("rq_order", order=command, id=lease.job.id, queue=lease.job.queue)
            lease.stop(STOPPED.format(command))
        if not leases:
            self._ignore(command, f"nothing of this id runs here: {wanted[:100]}")

    def _ignore(self, command: str, reason: str) -> None:
        self._log.warning("rq_order_ignored", order=command, reason=reason)

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()


def _parsed(order: bytes) -> Any:
    try:
        return json.loads(order)
    except (ValueError, RecursionError):
        return None
