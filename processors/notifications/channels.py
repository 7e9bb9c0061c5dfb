"""The pushes and e-mails of a notification: jobs in their own queues, which any worker may serve."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from processors.links import scheme_of
from queue_lib.addition import Addition

if TYPE_CHECKING:
    from collections.abc import Mapping

    from processors.notifications.payload import NotificationPayload
    from queue_lib.processor import Context

PUSHES, EMAILS = "push-notifications", "email"  # queues
MAX_SUBJECT = 200  # characters


async def add_push(payload: NotificationPayload, ids: Mapping[str, str], job_key: uuid.UUID, context: Context) -> str:
    """Add one job for all these users (user -> id of the row). Returns its id."""
    to: dict[str, Any] = {"userIds": list(ids)}
    name, tag = "push-batch", str(job_key)
    if payload.user_id is not None:
        to, name, tag = {"userId": payload.user_id}, "push-notification", ids[payload.user_id]
    shown = {"title": payload.title, "body": payload.body or None, "url": payload.url, "tag": tag}
    shown = {field: value for field, value in shown.items() if value is not None}
    data = {**to, "payload": shown, "options": {"type": payload.type, **_cancel_key(payload)}}
    return await context.enqueue(Addition(name=name, data=data, job_id=f"{job_key}-push"), PUSHES)


async def add_emails(
    payload: NotificationPayload,
    addresses: Mapping[str, str],
    job_key: uuid.UUID,
    context: Context,
    app_url: str | None,
) -> list[str]:
    """Add a job for each of these users (user -> address). Returns their ids."""
    ids = []
    for user, address in addresses.items():
        key = f"{uuid.uuid5(job_key, user)}-email"
        data = {**_mail(payload, app_url), "to": address, "userId": user, "type": payload.type, "idempotencyKey": key}
        ids.append(await context.enqueue(Addition(name="send-email", data=data, job_id=key), EMAILS))
    return ids


def _mail(payload: NotificationPayload, app_url: str | None) -> dict[str, Any]:
    parts = [payload.body or payload.title, _link(payload.url, app_url)]
    subject = "".join(letter if letter.isprintable() else " " for letter in payload.title)
    return {
        **_cancel_key(payload),
        "subject": " ".join(subject.split())[:MAX_SUBJECT],
        "text": "\n\n".join(filter(None, parts)),
    }


def _cancel_key(payload: NotificationPayload) -> dict[str, str]:
    return {} if payload.cancel_key is None else {"cancelKey": payload.cancel_key}


def _link(url: str | None, app_url: str | None) -> str | None:
    """The URL as a mail can have it; None for a path without a known host."""
    if url is None or scheme_of(url) is not None:
        return url
    return f"{app_url}/{url.lstrip('/')}" if app_url is not None else None
