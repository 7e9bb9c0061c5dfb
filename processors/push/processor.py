"""`push-notification`, and `push-follow-up`, which sends again where that may help."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.push.audience import Audience
from processors.push.cancelling import CANCELLED, is_cancelled
from processors.push.collapsing import send_collapsed
from processors.push.fan_out import FanOut
from queue_lib.errors import SnoozeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from processors.push.dependencies import PushDependencies
    from processors.push.payload import FollowUpPayload, Push, PushPayload
    from processors.push.result import PushResult
    from queue_lib.processor import Context
    from storage.ports import Subscription


class PushNotification:
    """Sends one notification to all devices of a user."""

    def __init__(self, dependencies: PushDependencies) -> None:
        self._dependencies = dependencies

    async def __call__(self, payload: PushPayload, context: Context, /) -> PushResult:
        """Run one job. Raises PermanentError for a message that no push service takes, never for one subscription."""
        wait_until_due(payload, self._dependencies)
        if (collapse := payload.options.collapse) is not None:
            return await send_collapsed(payload, collapse, self._dependencies, context, self._send)
        return await self._send(payload, context)

    async def _send(self, payload: PushPayload, context: Context) -> PushResult:
        if await is_cancelled(payload, context):
            return CANCELLED
        fan_out = await FanOut.open(self._dependencies, payload, context)
        rows = await Audience(self._dependencies, payload).of_user(payload.user_id)
        return await deliver_once(fan_out, rows)


class PushFollowUp:
    """Sends again to subscriptions that an earlier attempt could not reach."""

    def __init__(self, dependencies: PushDependencies) -> None:
        self._dependencies = dependencies

    async def __call__(self, payload: FollowUpPayload, context: Context, /) -> PushResult:
        """Run one job. Raises PermanentError as `push-notification` does."""
        if await is_cancelled(payload, context):
            return CANCELLED
        fan_out = await FanOut.open(self._dependencies, payload, context)
        rows = await Audience(self._dependencies, payload).with_ids(payload.subscription_ids)
        return await deliver_once(fan_out, rows, puts_off=True)


def wait_until_due(push: Push, dependencies: PushDependencies) -> None:
    """Raise SnoozeError until the message's `notBefore`."""
    seconds = push.wait(dependencies.clock())
    if seconds > 0:
        msg = f"not before {seconds:.0f} s from now, as its options say"
        raise SnoozeError(msg, seconds)


async def deliver_once(fan_out: FanOut, rows: Sequence[Subscription], *, puts_off: bool = False) -> PushResult:
    """Send to all these rows. `puts_off`: push services that refuse this server are asked again later."""
    async with fan_out:
        result = await fan_out.deliver(rows)
        fan_out.check_configuration()
        if puts_off:
            fan_out.put_off_refusals()
        return result
