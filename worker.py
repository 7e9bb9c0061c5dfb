"""The worker: read the settings, check the servers, wire the parts, run until told to stop."""

from __future__ import annotations

import signal

if __name__ == "__main__":  # Ctrl-C while the modules load ends it, without a stack trace
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import asyncio
import sys
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING

import structlog

from processors import registry
from processors.media.films import tools_or_reason
from processors.media.parts import MediaParts
from processors.media.sandbox.client import Sandbox
from processors.media.settings import MediaSettings
from processors.push.dependencies import PushDependencies as Parts
from processors.push.first_look import look
from processors.push.origins import Origins
from processors.push.send import PushSender
from processors.push.settings import PushSettings
from processors.tallies import PUSHES, TALLIES
from queue_lib import wiring
from queue_lib.errors import ConfigurationError
from queue_lib.observe import log
from queue_lib.processor import Registry
from queue_lib.runner.process import Stop, run, serve
from queue_lib.runner.processes import run_all
from queue_lib.settings import SETTINGS, WorkerSettings
from storage.facade import Storage
from storage.settings import StorageSettings

if TYPE_CHECKING:
    from queue_lib.queues import Queue

MODELS = (WorkerSettings, PushSettings, MediaSettings, StorageSettings)
Loaded = tuple[WorkerSettings, PushSettings, MediaSettings, StorageSettings, tuple["Queue", ...]]


async def work(settings: Loaded, stop: Stop) -> int:
    """Run until told to stop; returns the exit status. Raises ConfigurationError if a server is not fit."""
    worker, push, media, storage_settings, queues = settings
    async with AsyncExitStack() as cleanup:
        storage = await wiring.preflight(worker, Storage.open(storage_settings))
        cleanup.push_async_callback(storage.close)
        for reason in storage.away:
            structlog.get_logger().error("started_without", reason=reason)
        await look(storage.subscriptions)
        sender = PushSender(push.signers(), push.allowed_hosts())
        cleanup.push_async_callback(sender.close)
        sandbox = Sandbox(media.child_env(), media.memory())
        cleanup.push_async_callback(sandbox.close)
        tools = await asyncio.to_thread(tools_or_reason, media.ffmpeg_path, media.ffprobe_path)
        slots = sum(queue.concurrency for queue in queues if queue.name == PUSHES)
        routes = registry.build(
            push=Parts(storage.subscriptions, sender, Origins(slots), push.payload_style()),
            media=MediaParts(
                objects=storage.objects,
                files=storage.files,
                avatars=storage.avatars,
                sandbox=sandbox,
                tools=tools,
                films=media.films(),
                places=media.places(),
                avatar_sizes=media.avatar_sizes,
            ),
        )
        mill = wiring.mill(
            worker, queues, Registry(routes), tallies=TALLIES, checks=storage.checks(), holds={"disk": sandbox.check}
        )
        return await serve(await cleanup.enter_async_context(mill), stop, worker.shutdown_grace)


def main() -> None:
    """Start. Every fault of the set-up is a line of its own on standard error, and the status is 1."""
    argparse.ArgumentParser(description=__doc__, epilog=SETTINGS).parse_args()  # --help must start nothing
    try:
        settings = wiring.load_all(*MODELS)
    except ConfigurationError as error:
        sys.exit(str(error))
    log.configure(settings[0].log_level, settings[0].log_format)
    wiring.tell_of_misspelt(*MODELS)
    grace = settings[0].shutdown_grace
    run_all([partial(run, partial(work, share), grace) for share in wiring.shares(settings)])


if __name__ == "__main__":
    main()
