"""The processes that the alerts are about: a Redis, a web process, workers, and the Prometheus that scrapes them."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx

from tests.support.api_client import FULL, SECRET
from tests.support.polling import until
from tests.support.ports import free_port
from tests.support.prometheus import MINUTE, WITHIN, Prometheus
from tests.support.redis_server import RedisServer
from tests.support.web_process import WEB, web_process
from tests.support.wires import Mess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from tests.support.app import App
    from tests.support.worker_process import WorkerProcess

PUSHES, FILES, EXPORTS = "push-notifications", "file-processing", "exports"


@dataclass(frozen=True, slots=True)
class Stage:
    """The running processes, which the test starts, stops and misuses."""

    app: App
    redis: RedisServer
    mess: Mess
    url: str
    ports: tuple[int, int]
    prometheus: Prometheus

    def worker(self, number: int = 0, **env: str) -> WorkerProcess:
        """One of two workers that Prometheus knows."""
        return self.app.worker(REDIS_URL=self.redis.url, METRICS_PORT=str(self.ports[number]), **env)

    async def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Ask the API."""
        async with httpx.AsyncClient(base_url=self.url, headers={"Authorization": f"Bearer {SECRET}"}) as client:
            return await client.request(method, path, **options)

    def forget_faults(self) -> None:
        """Delete the keys that report faults, as 15 minutes would."""
        for key in self.mess.redis.scan_iter("bull:pulse:minute:faults:*"):
            self.mess.redis.delete(key)

    async def is_calm(self) -> None:
        """For a while no alert fires."""

        async def stays() -> bool:
            if await self.prometheus.firing():
                return False
            await asyncio.sleep(3 * MINUTE)
            return not await self.prometheus.firing()

        _: bool = await until(stays, WITHIN)


@contextlib.asynccontextmanager
async def staged(app: App, thresholds: Mapping[str, str] = {}, script: Path = WEB) -> AsyncIterator[Stage]:
    """A Redis, a web process, and a Prometheus that scrapes it and two workers, which the test starts."""
    ports = free_port(), free_port()
    with RedisServer(appendonly=True) as server:
        web, url = web_process(server.url, app.folder, FULL)
        web._script = script
        targets = [url.removeprefix("http://"), *(f"127.0.0.1:{port}" for port in ports)]
        prometheus = Prometheus(app.folder, targets, SECRET, thresholds)
        async with Mess.at(server.url, app.folder) as mess, web, prometheus:
            yield Stage(app, server, mess, url, ports, prometheus)
