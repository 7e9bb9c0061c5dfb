"""What a row of the outbox becomes: an event with the jobs that follow it, or a job."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quoted
from typing import TYPE_CHECKING, Any, NoReturn

from pydantic import ValidationError

from queue_lib.admin.add_options import AddOptions, StrictModel
from queue_lib.bridge import AppEvent
from queue_lib.errors import PermanentError
from queue_lib.processor import faults

if TYPE_CHECKING:
    from processors.outbox.bridging import Bridging
    from queue_lib.chore import PackedJob
    from storage.ports import OutboxRow

JOB = "job"  # the topic of a row that is a job
TOPIC = re.compile(r"[A-Za-z0-9_:-]+(\.[A-Za-z0-9_:-]+)*")
LONGEST = 200  # characters
YEAR_10000 = 253_402_300_800.0  # seconds since the epoch: ISO's years have four digits


class RowJob(StrictModel):
    """The payload of a row with the topic `job`. `options` are those of `queue.add`."""

    name: str
    data: Any
    options: AddOptions = AddOptions()


@dataclass(frozen=True, slots=True)
class Letter:
    """What is sent for one row. `message` is (channel, text)."""

    jobs: list[PackedJob]
    message: tuple[str, str] | None = None


def letter_of(row: OutboxRow, bridging: Bridging, prefix: str) -> Letter:
    """Read a row. Raises PermanentError, which says why, for one that can't be sent."""
    payload = _payload(row)
    if row.created_at >= YEAR_10000:
        _refuse("createdAt: it is after the year 9999")
    key = f"outbox-{row.id}-{round(row.created_at * 1000):x}"
    if row.topic == JOB:
        return Letter([_job(payload, key, bridging)])
    event = AppEvent(
        id=str(row.id),
        topic=_channel(row.topic, prefix),
        aggregate_type=_short(row.aggregate_type, "aggregateType"),
        aggregate_id=_short(row.aggregate_id, "aggregateId"),
        payload=payload,
        created_at=row.created_at,
    )
    return Letter(bridging.jobs(event, key), (event.topic, _message(event, row.payload or "null")))


def _job(payload: Any, key: str, bridging: Bridging) -> PackedJob:
    try:
        job = RowJob.model_validate(payload)
    except ValidationError as error:
        _refuse(f"bad payload for a row with the topic {JOB}: {faults(error)}")
    return bridging.packed(job.options.addition(job.name, job.data, job.options.job_id or key))


def _payload(row: OutboxRow) -> Any:
    if row.payload is None:
        _refuse("payload: it has more than 512 KiB; keep what is large elsewhere, and write its key")
    try:
        return JSON.decode(row.payload)
    except (ValueError, RecursionError) as error:
        _refuse(f"payload: it can't be read as JSON ({type(error).__name__})")


def _no_json(_: str) -> NoReturn:
    raise ValueError


JSON = json.JSONDecoder(parse_constant=_no_json)


@lru_cache(1000)
def _channel(topic: str, prefix: str) -> str:
    if len(topic) > LONGEST or TOPIC.fullmatch(topic) is None:
        _refuse("topic: write <aggregate>.<event>, such as message.created: letters, digits, _, - and : between dots")
    return topic if topic.startswith(f"{prefix}.") else f"{prefix}.{topic}"


def _short(text: str, column: str) -> str:
    if len(text) > LONGEST:
        _refuse(f"{column}: it has more than {LONGEST} characters")
    return text


def _message(event: AppEvent, payload: str) -> str:
    """The payload is as it stands in the row, so that no number changes. Only two texts may have quotation marks."""
    moment = datetime.fromtimestamp(event.created_at, UTC).isoformat(timespec="milliseconds")
    return (
        f'{{"id": "{event.id}", "topic": "{event.topic}", "aggregateType": {quoted(event.aggregate_type)}, '
        f'"aggregateId": {quoted(event.aggregate_id)}, "createdAt": "{moment[:-6]}Z", "payload": {payload}}}'
    )


def _refuse(reason: str) -> NoReturn:
    raise PermanentError(reason)
