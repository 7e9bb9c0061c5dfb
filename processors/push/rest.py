"""A push service that is left alone, and how the processes tell each other of it on their board."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from processors.push.delivery import Kind
from queue_lib.errors import BrokerUnavailableError

if TYPE_CHECKING:
    from processors.push.gate import Permit
    from queue_lib.processor import Board

TOPIC = "push-origins"
MINUTE = 60.0  # seconds that a rest stays on the board after its end
PROBE = 15.0  # seconds after which another request may be the probe


@dataclass(eq=False, slots=True)
class Rest:
    """An origin is left alone until `until`, because of `kind` and `reason`; a probe ends it.

    `seconds` is its usual length, which doubles. The origin has taken nothing since `since`. `is_told`: the board has
    it. Times are seconds of one clock.
    """

    until: float
    seconds: float
    kind: Kind
    reason: str
    since: float
    is_told: bool = False
    probe: Permit | None = None


def parse(text: str, now: float, left: float) -> Rest | None:
    """A rest as `tell` writes it, which lasts for `left` seconds; None if something else has been written."""
    try:
        told = json.loads(text)
        seconds, kind, since = float(told["seconds"]), Kind(told["kind"]), now - float(told.get("age", 0.0))
        return Rest(now + left, seconds, kind, str(told["reason"]), since, is_told=True)
    except (ValueError, TypeError, KeyError):
        return None


async def tell(board: Board, name: str, rest: Rest, now: float) -> None:
    """Write it on the board, for a minute longer than it lasts. While Redis is away, only this process knows."""
    rest.is_told = True  # before the next request ends and tells it again
    age = round(now - rest.since)
    text = json.dumps({"seconds": rest.seconds, "kind": rest.kind.value, "reason": rest.reason, "age": age})
    try:
        await board.write(TOPIC, name, text, max(0.0, rest.until - now) + MINUTE)
    except BrokerUnavailableError:
        rest.is_told = False


async def take_back(board: Board, name: str) -> None:
    """Tell the other processes that the rest has ended."""
    with contextlib.suppress(BrokerUnavailableError):
        await board.erase(TOPIC, name)


async def claim_probe(board: Board, name: str) -> bool:
    """Whether it is this process that may send the probe; while Redis is away, each may."""
    try:
        return await board.claim(TOPIC, name, PROBE)
    except BrokerUnavailableError:
        return True
