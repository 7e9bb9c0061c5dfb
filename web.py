"""The API and the dashboard: read the settings, check Redis, serve until told to stop."""

from __future__ import annotations

import signal

if __name__ == "__main__":  # Ctrl-C while the modules load ends it, without a stack trace
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import asyncio
import contextlib
import logging
import os
import socket
import sys
from functools import partial
from typing import TYPE_CHECKING

import structlog
import uvicorn

from processors.features import with_own_jobs
from queue_lib import command_line, serving, wiring
from queue_lib.errors import ConfigurationError
from queue_lib.feature import queues_of, routers_of, schedules_of
from queue_lib.jobs.own_module import own_jobs
from queue_lib.observe import log
from queue_lib.settings import JobsSettings, QueueChoice, Reading, WorkerSettings
from queue_lib.web.api.app import build
from queue_lib.web.connection import PatientConnection
from queue_lib.web.dashboard.app import install
from queue_lib.web.settings import ApiSettings

if TYPE_CHECKING:
    from types import FrameType

    from queue_lib.web.api.watch import Watch

SHUTDOWN_GRACE = 20  # seconds for the answers under way


class Server(uvicorn.Server):
    """At a stop uvicorn waits for the answers under way: those that wait for jobs must end."""

    def __init__(self, config: uvicorn.Config, watch: Watch) -> None:
        """`watch` has the clients that wait."""
        super().__init__(config)
        self._watch = watch

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say so once it listens."""
        await super().startup(sockets)
        if self.started:
            structlog.get_logger().info("started")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Let them go."""
        self._watch.close()
        super().handle_exit(sig, frame)


def is_no_cancellation(record: logging.LogRecord) -> bool:
    """Whether to log it: uvicorn writes a stack trace for each answer that is cut off at the end of the grace time."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))


async def listen(port: int) -> socket.socket:
    """The port on all addresses: the platform's router is on another machine. Raises ConfigurationError."""
    try:
        return socket.create_server(("", port))
    except OSError as error:
        msg = f"PORT: can't listen on port {port} ({os.strerror(error.errno or 0)}); set it to one that is free"
        raise ConfigurationError(msg) from None


def main() -> None:
    """Start. Every fault of the set-up is a line of its own on standard error, and the status is 1."""
    command_line.check(__doc__)
    reading = Reading()
    own = own_jobs(reading)
    features = with_own_jobs(own)
    try:
        queue, choice, api = reading.load(WorkerSettings, QueueChoice, ApiSettings)
        choice.named(queues_of(features))
        schedules_of(features)  # refuses names that are taken, and what no queue takes
        log.configure(queue.log_level, queue.log_format)
        serving.tell_of_misspelt(features, WorkerSettings, QueueChoice, JobsSettings, ApiSettings)
        listening = asyncio.run(wiring.preflight(queue, listen(api.port)))
        observe = wiring.sentry(queue)
    except ConfigurationError as error:
        sys.exit(str(error))
    opened = partial(wiring.admin, queue, features, by="api", choice=choice)
    hirefire = api.hirefire_token and api.hirefire_token.get_secret_value()
    app = build(opened, api.api_tokens, api.api_rate, observe, routers_of(features), hirefire)
    install(
        app,
        api.api_tokens,
        secret=queue.redis,
        modules={job.__module__ for job in own.jobs},
        showings=serving.showings_of(features),
    )
    # uvicorn's own log is for faults of its own: what a client sends it is none.
    config = uvicorn.Config(
        app,
        http=PatientConnection,
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_GRACE,
    )
    logging.getLogger("uvicorn.error").addFilter(is_no_cancellation)
    with contextlib.suppress(KeyboardInterrupt):  # uvicorn raises SIGINT again when all is done
        signal.signal(signal.SIGINT, signal.default_int_handler)
        Server(config, app.state.watch).run([listening])


if __name__ == "__main__":
    main()
