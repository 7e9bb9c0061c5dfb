"""Opens push: its processors over the app's subscriptions and the shared HTTP client."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from processors.push.batch import PushBatch
from processors.push.dependencies import PushDependencies
from processors.push.endpoints import AllowedHosts
from processors.push.feature import QUEUE
from processors.push.key_check import check_newest_keys
from processors.push.message import PayloadStyle
from processors.push.origins import Origins
from processors.push.payload import FOLLOW_UP
from processors.push.processor import PushFollowUp, PushNotification
from processors.push.send import PushSender
from processors.push.settings import PushSettings, SubscriptionSettings
from processors.push.vapid import VapidSigner, listed, parse_private_key
from processors.reach.reach import facts_of_reach, open_reach
from queue_lib.feature import Opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from processors.tools import Tools
    from queue_lib.feature import Served


@asynccontextmanager
async def opened(served: Served, tools: Tools) -> AsyncIterator[Opened]:
    """Push, until the worker ends. The caller closes the tools."""
    settings, table = served.of(PushSettings), served.of(SubscriptionSettings)
    subscriptions = tools.storage.subscriptions(*table.arguments)
    locales = tools.storage.locales(settings.push_locale_table, settings.push_locale_column)
    sender = PushSender(signers(settings), allowed_hosts(settings), tools.http)
    queue = served.queue(QUEUE)
    origins = Origins(queue.concurrency if queue else 0)
    reach = open_reach(tools.storage, served)
    dependencies = PushDependencies(subscriptions, sender, origins, payload_style(settings), locales, reach)
    yield Opened(
        processors={
            "push-notification": PushNotification(dependencies),
            "push-batch": PushBatch(dependencies),
            FOLLOW_UP: PushFollowUp(dependencies),
        },
        checks={"push_services": partial(dependencies.refusals.check, sender)},
        at_start=partial(check_newest_keys, subscriptions),
        facts={
            "vapidPublicKey": settings.vapid_public_key,
            "subscriptionTable": table.push_subscription_table,
            "subscriptionColumns": table.push_subscription_columns,
            **facts_of_reach(served),
        },
    )


def signers(settings: PushSettings) -> tuple[VapidSigner, ...]:
    """A signer for each key, the current one first."""
    keys = [settings.vapid_private_key.get_secret_value()]
    keys += listed(settings.vapid_previous_private_keys.get_secret_value())
    return tuple(VapidSigner(parse_private_key(key), settings.vapid_subject) for key in keys)


def payload_style(settings: PushSettings) -> PayloadStyle:
    """How notifications are written."""
    return PayloadStyle(settings.push_max_payload, settings.push_declarative)


def allowed_hosts(settings: PushSettings) -> AllowedHosts:
    """The hosts that may be called."""
    return AllowedHosts(settings.push_allowed_hosts, settings.push_allow_local_endpoints)
