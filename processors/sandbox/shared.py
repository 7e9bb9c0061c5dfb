"""The one sandbox of a process, for all of its features: they share its memory and its fork server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.sandbox.settings import PlatformSettings, SandboxSettings

if TYPE_CHECKING:
    from processors.sandbox.client import Sandbox
    from queue_lib.feature import Served


class SharedSandbox:
    """Makes the sandbox for the first feature that asks, because many workers need none.

    A feature that asks has PlatformSettings and SandboxSettings in its manifest.
    """

    def __init__(self, served: Served) -> None:
        """Nothing is made yet."""
        self._served = served
        self._sandbox: Sandbox | None = None

    def open(self, *tasks: str) -> Sandbox:
        """The sandbox. What these `tasks` import is loaded before the first child starts."""
        sandbox = self._sandbox or self._make()
        sandbox.preload(*tasks)
        return sandbox

    async def close(self) -> None:
        """End all children, and remove their folders."""
        if self._sandbox is not None:
            await self._sandbox.close()

    def _make(self) -> Sandbox:
        from processors.sandbox.client import Sandbox  # noqa: PLC0415 -- for those that need it

        env = self._served.of(PlatformSettings).child_env()
        sandbox = self._sandbox = Sandbox(env, self._served.of(SandboxSettings).memory())
        return sandbox
