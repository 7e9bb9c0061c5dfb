"""Whether this process is ready for jobs: what its loops say, and whether the servers that it needs answer."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, TypedDict

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from queue_lib.observe.metrics import troubles_metric
from queue_lib.outcome import reason_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence

    from queue_lib.runner.consumer import LoopState

    Check = Callable[[], Awaitable[object]]

FRESH = 10.0  # seconds that a server's answer holds, so that frequent probes don't reach the servers
IN_TIME = 1.5  # seconds that a server has to answer, so that a probe is answered within two


class Report(TypedDict):
    """How the process is.

    It is `ready` if all is well. Of the `queues` some may be: those with a loop that takes jobs and all the servers
    that their jobs need. What is wrong with each of the `loops` and `servers` is a line, or None.
    """

    ready: bool
    queues: dict[str, bool]
    loops: list[dict[str, Any]]
    servers: dict[str, str | None]


class Health(Collector):
    """Looks at the loops and asks the servers. It is also a collector of metrics, made of the last report."""

    def __init__(
        self,
        states: Callable[[], Sequence[LoopState]],
        checks: Mapping[str, Check],
        needs: Mapping[str, Collection[str]],
    ) -> None:
        """`checks` raise when a server does not answer; what they raise has no secret in its text.

        `needs` are the servers that each queue's jobs need.
        """
        self._states = states
        self._servers = {name: HealthCheck(check) for name, check in checks.items()}
        self._needs = needs
        self._last: Report = {"ready": False, "queues": dict.fromkeys(needs, False), "loops": [], "servers": {}}

    async def report(self) -> Report:
        """How it is now."""
        troubles = await asyncio.gather(*(server.trouble() for server in self._servers.values()))
        servers = dict(zip(self._servers, troubles, strict=True))
        loops = [
            {"queue": state.queue, "wire": state.wire.value, "running": state.running, "trouble": state.trouble}
            for state in self._states()
        ]
        well = {loop["queue"] for loop in loops if not loop["trouble"]}
        queues = {
            queue: queue in well and not any(servers.get(server) for server in needs)
            for queue, needs in self._needs.items()
        }
        ready = not any(servers.values()) and not any(loop["trouble"] for loop in loops)
        self._last = {"ready": ready, "queues": queues, "loops": loops, "servers": servers}
        return self._last

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """The last report as metrics."""
        ready = GaugeMetricFamily("pushmill_ready", "Whether this worker can do jobs of the queue.", labels=["queue"])
        for queue, is_ready in self._last["queues"].items():
            ready.add_metric([queue], float(is_ready))
        loop_ready = GaugeMetricFamily("pushmill_loop_ready", "Whether a loop takes jobs.", labels=["queue", "wire"])
        held = GaugeMetricFamily("pushmill_leases_held", "Jobs claimed and not settled.", labels=["queue", "wire"])
        for loop in self._last["loops"]:
            loop_ready.add_metric([loop["queue"], loop["wire"]], float(loop["trouble"] is None))
            held.add_metric([loop["queue"], loop["wire"]], loop["running"])
        up = GaugeMetricFamily("pushmill_server_up", "Whether a server answers.", labels=["server"])
        for name, trouble in self._last["servers"].items():
            up.add_metric([name], float(trouble is None))
        of_redis = troubles_metric({state.redis for state in self._states() if state.redis is not None})
        return [ready, loop_ready, held, up, of_redis]


class HealthCheck:
    """Asks whether something works that jobs need. An answer holds for some seconds; it never asks twice at a time."""

    def __init__(self, check: Check, clock: Callable[[], float] = time.monotonic, fresh: float = FRESH) -> None:
        """`check` raises, with the reason, if it does not work; an answer holds for `fresh` seconds."""
        self._check = check
        self._fresh = fresh
        self._clock = clock
        self._asking: asyncio.Task[str | None] | None = None
        self._asked_at = 0.0

    async def trouble(self) -> str | None:
        """What is wrong with it, or None."""
        if self._asking is None or (self._asking.done() and self._clock() - self._asked_at >= self._fresh):
            self._asked_at = self._clock()
            self._asking = asyncio.create_task(self._ask())
        asking = self._asking  # who has its answer first may ask again before the others wake up
        answered, _ = await asyncio.wait([asking], timeout=IN_TIME)
        # Not cancelled: what hangs in a thread would go on there, and the next question would take another one.
        return asking.result() if answered else f"no answer for {self._clock() - self._asked_at:.0f} s"

    async def _ask(self) -> str | None:
        try:
            await self._check()
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is what is wrong
            return reason_of(error)[:200]
        return None
