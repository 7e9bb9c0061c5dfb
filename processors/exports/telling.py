"""Tells the user that the file is there, with jobs in other queues, which any worker may serve."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from processors.links import scheme_of
from processors.outage import outages_put_off
from queue_lib.addition import Addition
from queue_lib.errors import PermanentError

if TYPE_CHECKING:
    from processors.exports.payload import ExportPayload, ExportResult
    from queue_lib.job import Job
    from queue_lib.processor import Context
    from storage.ports import UserTexts

TYPED = {"type": "export"}  # in the words of the users' preferences
TITLE = "Your export is ready"
SPACE = uuid.UUID("7e1f4c5a-0c0b-5a57-8f0e-3d8a1c2b9e64")  # of the ids of jobs: drawn once


async def address_of(payload: ExportPayload, addresses: UserTexts | None) -> str | None:
    """Where the e-mail goes; None if there is to be none.

    Raises PermanentError if nothing has an address, SnoozeError while the database is away.
    """
    if "email" not in payload.notify or payload.email is not None:
        return payload.email
    if addresses is None:
        msg = "notify: email needs an address: give email in the job, or set NOTIFICATION_USER_TABLE"
        raise PermanentError(msg)
    user = payload.user_id or ""
    with outages_put_off():
        found = await addresses.of_users([user])
    if user not in found:
        msg = "notify: its userId has no e-mail address"
        raise PermanentError(msg)
    return found[user]


async def tell(payload: ExportPayload, name: str, result: ExportResult, to: str | None, context: Context) -> None:
    """Add a job for each channel; `name` is the view's. A second run of this job adds no second one."""
    key = _key_of(context.job)
    for channel in payload.notify:
        job_id = f"{key}-{channel}"
        match channel:
            case "email":
                queue, job, data = "email", "send-email", _mail(name, result, to, job_id)
            case "push":
                shown = {**_shown(name, result), "tag": job_id}
                queue, job, data = "push-notifications", "push-notification", {"payload": shown, "options": TYPED}
            case "in-app":
                queue, job, data = "notifications", "user-notification", {**_shown(name, result), **TYPED}
        await context.enqueue(Addition(name=job, data={**data, "userId": payload.user_id}, job_id=job_id), queue)


def _mail(name: str, result: ExportResult, to: str | None, key: str) -> dict[str, Any]:
    """A mail that is not sent when the link is no longer valid."""
    until = {} if result.expires_at is None else {"expiresAt": result.expires_at}
    text = f"{_said(name, result)}\n\n{result.url}"
    return {"to": to, "subject": TITLE, "text": text, "idempotencyKey": key, **until, **TYPED}


def _shown(name: str, result: ExportResult) -> dict[str, Any]:
    """A notification; a file of the worker's own machine is no link."""
    link = {"url": result.url} if scheme_of(result.url) in {"http", "https"} else {}
    return {"title": TITLE, "body": _said(name, result), **link}


def _said(name: str, result: ExportResult) -> str:
    rows = f"{name}: {result.rows:,} {'row' if result.rows == 1 else 'rows'}."
    return rows if result.expires_at is None else f"{rows} The link is valid until {result.expires_at}."


def _key_of(job: Job) -> uuid.UUID:
    """The same in every run of this job, and for no other: also not for one with its id in an emptied Redis."""
    return uuid.uuid5(SPACE, json.dumps([job.wire, job.queue, job.id, job.created_at]))
