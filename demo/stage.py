"""Everything around the worker, on this machine only."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from demo.app import App
from demo.clock import show
from demo.failure import DemoError
from demo.worker_process import WorkerProcess
from embedded.push_service import SUBJECT, Answer, PushService
from embedded.redis_server import RedisServer
from embedded.smtp_server import SmtpServer
from processors.sandbox.settings import PlatformSettings
from scripts.generate_vapid_keys import make_pair

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from storage.ports import Subscription


@dataclass(frozen=True)
class Stage:
    """The servers, the app and the worker, and two users: Ada has two devices, one of them gone; Grace has one."""

    redis: RedisServer
    push: PushService
    mail: SmtpServer
    app: App
    ada: Subscription
    ada_gone: Subscription
    grace: Subscription
    worker: WorkerProcess


async def build(cleanup: AsyncExitStack, output: Path) -> Stage:
    """Start the servers, fill the app's tables, and start the worker last. Raises DemoError."""
    scratch = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="pushmill-demo-")))
    redis = cleanup.enter_context(_valkey())
    show("demo", "started", "Valkey (from a Python package)")
    private_key, public_key = make_pair()
    push = PushService(public_key)
    await push.start()
    cleanup.push_async_callback(push.stop)
    show("demo", "started", "a push endpoint that checks VAPID tokens and decrypts")
    mail = SmtpServer()
    await mail.start()
    cleanup.push_async_callback(mail.stop)
    show("demo", "started", "a mail server")
    app = App(scratch / "app.db", output)
    ada, ada_gone, grace = push.subscribe("ada"), push.subscribe("ada"), push.subscribe("grace")
    push.answer(ada_gone, Answer(410))
    app.subscribe([ada, ada_gone, grace])
    show("demo", "made", f"Prisma's two tables in SQLite; {len(app.subscription_ids())} subscriptions, 1 upload")
    env = {
        "REDIS_URL": redis.url,
        "DATABASE_URL": "sqlite:///app.db",
        "STORAGE_URL": output.as_uri(),
        "VAPID_PRIVATE_KEY": private_key,
        "VAPID_PUBLIC_KEY": public_key,
        "VAPID_SUBJECT": SUBJECT,
        "SMTP_URL": f"smtp://127.0.0.1:{mail.port}",
        "MAIL_FROM": "Demo <demo@example.com>",
        "PUSH_ALLOW_LOCAL_ENDPOINTS": "1",
        "LOG_FORMAT": "json",
        "TMPDIR": str(scratch),
    }
    worker = WorkerProcess(PlatformSettings().child_env() | env, scratch, output / "worker.log")
    await cleanup.enter_async_context(worker)
    return Stage(redis, push, mail, app, ada, ada_gone, grace, worker)


def _valkey() -> RedisServer:
    try:
        server = RedisServer(appendonly=True)
        server.start()
    except (RuntimeError, OSError) as error:
        msg = f"Valkey does not start: {error}"
        raise DemoError(msg) from error
    return server
