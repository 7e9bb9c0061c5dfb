"""The worker: read the settings, open the features that it serves, check the servers, run until told to stop."""

from __future__ import annotations

import signal

if __name__ == "__main__":  # Ctrl-C while the modules load ends it, without a stack trace
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import sys
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING

import structlog

from processors.features import FEATURES, with_own_jobs
from processors.outbound import HttpClient
from processors.sandbox.shared import SharedSandbox
from processors.tools import Tools
from queue_lib import command_line, serving, wiring
from queue_lib.broker.app_cache import AppCaches
from queue_lib.broker.cache import RedisCache
from queue_lib.errors import ConfigurationError
from queue_lib.feature import open_features
from queue_lib.jobs.own_module import own_jobs
from queue_lib.observe import log
from queue_lib.runner.process import Stop, run, serve, unless_stopped
from queue_lib.runner.processes import run_all
from queue_lib.settings import JobsSettings, QueueChoice, Reading, WorkerSettings
from storage.facade import Storage
from storage.settings import DatabaseSettings, ObjectsSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from queue_lib.feature import Feature, Served
    from queue_lib.runner.launcher import Launcher


async def work(served: Served, stop: Stop) -> int:
    """Run until told to stop; returns the exit status. Raises ConfigurationError if a server is not fit."""
    async with AsyncExitStack() as cleanup:
        runner = await unless_stopped(open_all(served, cleanup), stop)
        return 0 if runner is None else await serve(runner, stop, served.worker.shutdown_grace)


async def open_all(served: Served, cleanup: AsyncExitStack) -> Launcher:
    """Open the tools and the features, and check the servers. `cleanup` closes them. Raises ConfigurationError."""
    storage = Storage(served.find(DatabaseSettings), served.find(ObjectsSettings))
    cleanup.push_async_callback(storage.close)
    http = HttpClient()
    cleanup.push_async_callback(http.close)
    cache = RedisCache()
    sandbox = SharedSandbox(served)
    cleanup.push_async_callback(sandbox.close)
    app_caches = AppCaches(served.worker)
    cleanup.push_async_callback(app_caches.close)
    tools = Tools(storage, http, cache, sandbox, app_caches.at)
    opened = await open_features(served, tools, cleanup)
    for reason in await wiring.preflight(served.worker, storage.connect()):
        structlog.get_logger().error("started_without", reason=reason)
    for feature in opened:
        await feature.at_start()
    await wiring.keep_schedules(served)
    return await cleanup.enter_async_context(wiring.worker(served, opened, storage.checks(), cache))


def main(features: Sequence[Feature] = FEATURES) -> None:
    """Start. Every fault of the set-up is a line of its own on standard error, and the status is 1."""
    command_line.check(__doc__)
    reading = Reading()
    features = with_own_jobs(own_jobs(reading), features)
    try:
        served = serving.choose(features, reading)
    except ConfigurationError as error:
        sys.exit(str(error))
    log.configure(served.worker.log_level, served.worker.log_format)
    serving.tell_of_misspelt(features, WorkerSettings, QueueChoice, JobsSettings)
    serving.tell_what_is_served(served)
    grace = served.worker.shutdown_grace
    run_all([partial(run, partial(work, share), grace) for share in serving.shares(served)])


if __name__ == "__main__":
    main()
