"""The manifests of the outbox and of the bridges without one. Every process imports them, so nothing heavy is here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.outbox.settings import BridgeSettings, OutboxSettings
from queue_lib.feature import Feature
from storage.settings import DatabaseSettings

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from processors.tools import Tools
    from queue_lib.feature import Opened, Served


def _open_outbox(served: Served, tools: Tools) -> AbstractAsyncContextManager[Opened]:
    from processors.outbox.opening import outbox_opened

    return outbox_opened(served, tools)


def _open_bridges(served: Served, _tools: Tools) -> AbstractAsyncContextManager[Opened]:
    from processors.outbox.opening import bridges_opened

    return bridges_opened(served)


OUTBOX = Feature(
    name="outbox",
    settings=(OutboxSettings,),
    shared_settings=(DatabaseSettings,),
    open=_open_outbox,
)
BRIDGES = Feature(name="bridges", settings=(BridgeSettings,), open=_open_bridges)
