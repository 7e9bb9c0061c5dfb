"""`user-notification`: a row for each user, a live message, and a push or an e-mail where the job asks for one."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from typing import TYPE_CHECKING

import structlog

from processors.notifications.channels import add_emails, add_push
from processors.notifications.collapsing import tell_collapsed
from processors.notifications.payload import Channel, NotificationResult
from processors.outage import outages_put_off
from processors.reach.choice import Occasion
from queue_lib.errors import BrokerUnavailableError, PermanentError, Trouble
from storage.errors import SchemaError
from storage.ports import Notice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from processors.notifications.dependencies import NotificationDependencies
    from processors.notifications.payload import NotificationPayload
    from queue_lib.job import Job
    from queue_lib.processor import Context

PAGE = 50  # users in one statement
LIVE = frozenset({Channel.IN_APP, Channel.REALTIME})  # channels with a live message
OTHER_JOBS = frozenset({Channel.PUSH, Channel.EMAIL})  # channels with jobs of their own
SPACE = uuid.UUID("a7c1e0de-5a35-5f0b-9c52-4a2f6f2f9b3e")  # of the keys: drawn once

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger(__name__)


class UserNotification:
    """Tells one user, or several. The row comes first: what nobody hears is there when the app is opened again."""

    def __init__(self, dependencies: NotificationDependencies) -> None:
        self._dependencies = dependencies

    async def __call__(self, payload: NotificationPayload, context: Context, /) -> NotificationResult:
        """Run one job. A second run adds no second row, push or e-mail; a live message may come twice.

        Raises PermanentError for what the app's table can't have, for a user whom the database does not know, and for
        an e-mail without a source of addresses.
        """
        self._refuse_unaddressed(payload)
        if payload.collapse is not None:
            return await tell_collapsed(payload, payload.collapse, context, self._tell_all)
        return await self._tell_all(payload, context)

    async def _tell_all(
        self, payload: NotificationPayload, context: Context, since: float | None = None
    ) -> NotificationResult:
        """Tell all users; `since` is when the app added the notification, if that was another job."""
        job_key, counts, is_cancelled = key_of(context.job), Counter[str](), False
        told: dict[str, str] = {}
        for start in range(0, len(payload.users), PAGE):
            if is_cancelled := await context.is_cancelled(payload.cancel_key, since):
                break
            keys = {user: str(uuid.uuid5(job_key, user)) for user in payload.users[start : start + PAGE]}
            told |= await self._tell(payload, keys, counts, context)
        self._count(payload, context, counts)
        row = next(iter(told.values()), None) if counts["created"] and payload.user_id else None
        if told and OTHER_JOBS & set(payload.channels):  # which are of a later time than a call until now
            is_cancelled = is_cancelled or await context.is_cancelled(payload.cancel_key, since)
        if is_cancelled:
            told = {}
        push = await add_push(payload, told, job_key, context) if told and Channel.PUSH in payload.channels else None
        emails = await self._add_emails(payload, list(told), job_key, context)
        return NotificationResult(
            id=row,
            **counts,
            push=push,
            email=next(iter(emails), None),
            emails=len(emails),
            cancelled=is_cancelled,
            without_address=len(told) - len(emails) if Channel.EMAIL in payload.channels else 0,
        )

    async def _tell(
        self, payload: NotificationPayload, keys: dict[str, str], counts: Counter[str], context: Context
    ) -> dict[str, str]:
        """Tell these users in the app. Returns who may get a push and an e-mail: user -> id of the row, or key."""
        muted = await self._muted(payload, keys)
        counts["muted"] += len(muted)
        page = {user: key for user, key in keys.items() if user not in muted}
        if page and Channel.IN_APP in payload.channels:
            page = await self._add_rows(payload, page, counts)
        if page and LIVE & set(payload.channels):
            counts["published"] += await self._publish(payload, page, context)
        return page | muted

    def _refuse_unaddressed(self, payload: NotificationPayload) -> None:
        has_addresses = payload.email is not None or self._dependencies.addresses is not None
        if Channel.EMAIL in payload.channels and not has_addresses:
            msg = "channels: email needs an address: give email in the job, or set NOTIFICATION_USER_TABLE"
            raise PermanentError(msg)

    async def _muted(self, payload: NotificationPayload, keys: dict[str, str]) -> dict[str, str]:
        """Those who do not want it in the app. Quiet hours do not matter: a row disturbs nobody."""
        reach = self._dependencies.reach
        if reach is None or not LIVE & set(payload.channels):
            return {}
        muted = await reach.withheld(list(keys), Occasion(Channel.IN_APP, payload.type, passes=True))
        return {user: keys[user] for user in muted}

    async def _add_rows(
        self, payload: NotificationPayload, keys: dict[str, str], counts: Counter[str]
    ) -> dict[str, str]:
        """The ids of these users' rows, from this run or an earlier one."""
        notice = Notice(payload.title, payload.body, payload.type, payload.url, payload.metadata, payload.dedupe_key)
        try:
            with outages_put_off():
                told = await self._dependencies.notifications.add(notice, keys)
        except SchemaError as error:
            raise PermanentError(str(error)) from error
        if payload.user_id is not None and told.unknown:
            msg = "no user has its userId"
            raise PermanentError(msg)
        counts["created"] += len(told.rows)
        counts["unknown"] += len(told.unknown)
        counts["duplicates"] += len(keys) - len(told.rows) - len(told.unknown)
        return dict(told.rows)

    async def _publish(self, payload: NotificationPayload, ids: dict[str, str], context: Context) -> int:
        """Tell those who listen; returns how many of the users have a client that does."""
        with outages_put_off():
            unread = await self._dependencies.notifications.unread(list(ids))
        has_row = Channel.IN_APP in payload.channels
        messages = [
            (f"notifications:{user}", live_message(payload, row_id if has_row else None, unread[user]))
            for user, row_id in ids.items()
        ]
        try:
            return sum(heard > 0 for heard in await context.board.publish(messages))
        except BrokerUnavailableError as error:
            if error.trouble is not Trouble.FORBIDDEN:
                raise
            _log.warning("notification_unheard", id=context.job.id[:200], reason=str(error))
            return 0

    async def _add_emails(
        self, payload: NotificationPayload, users: Sequence[str], job_key: uuid.UUID, context: Context
    ) -> list[str]:
        """The ids of the jobs."""
        ids: list[str] = []
        if Channel.EMAIL in payload.channels:
            for start in range(0, len(users), PAGE):
                addresses = await self._addresses(payload, users[start : start + PAGE])
                ids += await add_emails(payload, addresses, job_key, context, self._dependencies.app_url)
        return ids

    async def _addresses(self, payload: NotificationPayload, users: Sequence[str]) -> dict[str, str]:
        """The addresses of these users; users without one are left out."""
        if payload.email is not None:
            return dict.fromkeys(users, payload.email)
        if self._dependencies.addresses is None:
            return {}
        with outages_put_off():
            return await self._dependencies.addresses.of_users(users)

    @staticmethod
    def _count(payload: NotificationPayload, context: Context, counts: Counter[str]) -> None:
        if Channel.IN_APP in payload.channels:
            kinds = {"created": counts["created"], "duplicate": counts["duplicates"], "unknown": counts["unknown"]}
            context.count("notifications", {"users": kinds})


def key_of(job: Job) -> uuid.UUID:
    """The same in every run of this job, and for no other: also not for one with its id in an emptied Redis."""
    return uuid.uuid5(SPACE, json.dumps([job.wire, job.queue, job.id, job.created_at]))


def live_message(payload: NotificationPayload, row_id: str | None, unread: int) -> str:
    """What is published on `notifications:<userId>`. `id` is null without a row."""
    return json.dumps({"id": row_id, "type": payload.type, "title": payload.title, "unread": unread})
