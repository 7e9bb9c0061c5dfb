"""A real Prometheus that scrapes a test's processes; the alert rules run at two seconds to the minute."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import httpx
import yaml

from tests.support.polling import until
from tests.support.ports import free_port
from tests.support.programs import CiSettings, find_program

if TYPE_CHECKING:
    from collections.abc import Mapping

ALERTS = Path(__file__).parents[2] / "docs" / "operations" / "alerts.yml"
MISSING = "there is no Prometheus: install it (Debian: prometheus)"
MINUTE = 2  # seconds
SECONDS = {"m": MINUTE, "h": 60 * MINUTE}
EVERY = "2s"  # a scrape, which has as long as it lasts
WITHIN = 180.0  # seconds: the longest look back is an hour


def quickened(rules: str, thresholds: Mapping[str, str]) -> str:
    """The rules with each minute as two seconds, and with the app's own thresholds replaced."""
    quick = re.sub(r"(\[|for: |offset )(\d+)([mh])\b", lambda at: f"{at[1]}{int(at[2]) * SECONDS[at[3]]}s", rules)
    for usual, own in thresholds.items():
        assert usual in quick, usual
        quick = quick.replace(usual, own)
    return quick


class Prometheus:
    """One run of `prometheus`. `targets` are host and port of the processes to scrape, `token` is for all of them."""

    def __init__(self, folder: Path, targets: list[str], token: str, thresholds: Mapping[str, str]) -> None:
        """Write its files into `folder`; nothing runs before `async with`."""
        self._program = find_program(CiSettings(), MISSING, "prometheus")
        self._folder = folder / "prometheus"
        self._folder.mkdir()
        self._address = f"127.0.0.1:{free_port()}"
        self._process: asyncio.subprocess.Process | None = None
        (self._folder / "alerts.yml").write_text(quickened(ALERTS.read_text(), thresholds))
        pace = {"scrape_interval": EVERY, "scrape_timeout": EVERY, "evaluation_interval": "1s"}
        job = {
            "job_name": "pushmill",
            "authorization": {"credentials": token},
            "static_configs": [{"targets": targets}],
        }
        config = {"global": pace, "rule_files": ["alerts.yml"], "scrape_configs": [job]}
        (self._folder / "prometheus.yml").write_text(yaml.safe_dump(config))

    async def __aenter__(self) -> Self:
        """Start, and wait until it answers."""
        self._process = await asyncio.create_subprocess_exec(
            self._program,
            "--config.file=prometheus.yml",
            "--storage.tsdb.path=data",
            f"--web.listen-address={self._address}",
            "--log.level=warn",
            cwd=self._folder,
        )
        _: bool = await until(self._is_ready, 30.0)
        return self

    async def __aexit__(self, *_: object) -> None:
        """End it."""
        assert self._process is not None
        self._process.terminate()
        await self._process.wait()

    async def _is_ready(self) -> bool:
        try:
            async with httpx.AsyncClient() as client:
                answer = await client.get(f"http://{self._address}/-/ready")
        except httpx.TransportError:
            return False
        return answer.is_success

    async def ask(self, path: str, **parameters: str) -> Any:
        """The data of an answer of its API."""
        async with httpx.AsyncClient(base_url=f"http://{self._address}/api/v1/", timeout=20.0) as client:
            answer = await client.get(path, params=parameters)
        return answer.json()["data"]

    async def value(self, expression: str) -> float:
        """The current value of an expression with one series."""
        result = (await self.ask("query", query=expression))["result"]
        assert 1 == len(result), (expression, result)
        return float(result[0]["value"][1])

    async def firing(self) -> set[str]:
        """The alerts that fire now: each name, followed by the queue, the wire or its other subject."""
        alerts = (await self.ask("alerts"))["alerts"]
        return {_name(alert["labels"]) for alert in alerts if alert["state"] == "firing"}

    async def fires(self, *names: str) -> None:
        """Wait until all of these fire."""
        await self._until(lambda firing: set(names) <= firing, f"{names} to fire")

    async def resolved(self, *names: str) -> None:
        """Wait until none of these fires."""
        await self._until(lambda firing: not set(names) & firing, f"{names} to resolve")

    async def _until(self, is_so: Any, what: str) -> None:
        seen: list[set[str]] = [set()]

        async def look() -> bool:
            seen.append(await self.firing())
            return bool(is_so(seen[-1]))

        _: bool = await until(look, WITHIN, lambda: f"waited for {what}; at last {sorted(seen[-1])} fired")


def _name(labels: dict[str, str]) -> str:
    about = [
        labels[label] for label in ("queue", "wire", "name", "service", "server", "event", "result") if label in labels
    ]
    return " ".join([labels["alertname"].removeprefix("Pushmill"), *about])
