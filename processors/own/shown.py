"""What operators see of a team's own jobs: what their classes say in `shows`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from queue_lib.jobs.own_module import fault_of
from queue_lib.shown import MOST_PARTS, Facts, Link, Part, Picture, Showing, Table, Words
from storage.objects.places import public_places

if TYPE_CHECKING:
    from queue_lib.jobs import Job
    from queue_lib.shown import Seen
    from storage.settings import ObjectsSettings


def showing(jobs: Sequence[type[Job[Any]]], settings: ObjectsSettings | None) -> Showing:
    """What is shown where the store has these settings, if they are known."""
    return Showing(
        parts=partial(_parts, {job.name: job for job in jobs}),
        below=(*(public_places(settings) if settings else ()), *(place for job in jobs for place in job.links_below)),
    )


def _parts(jobs: Mapping[str, type[Job[Any]]], seen: Seen) -> Sequence[Part]:
    if seen.payload is None:
        return ()
    try:
        found = tuple(islice(jobs[seen.name].shows(seen.payload, seen.result), MOST_PARTS))
        for part in found:
            _check(part)
    except Exception as error:  # noqa: BLE001 -- an error of the team's must not hide the rest of the page
        return (Words(f"The job's `shows` failed: {fault_of(error)}"),)
    return found


def _check(part: object) -> None:
    """Raise TypeError for what no page could draw."""
    match part:
        case Facts(facts) if not isinstance(facts, Mapping):
            msg = 'Facts takes names and values; write Facts({"Copies": "2"})'
        case Table(_, columns, rows) if not all(isinstance(each, Sequence) for each in (columns, rows, *rows)):
            msg = 'Table takes lists; write Table("Copies", ("To", "Sent"), [("ada", "yes")])'
        case Picture() | Link() if not isinstance(part.until, float | int | None):
            msg = "until is in seconds since the epoch; write until=moment.timestamp()"
        case _ if not isinstance(part, Part):
            msg = f"{type(part).__name__} is no part; write Words(...), Facts(...), Table(...) or another"
        case _:
            return
    raise TypeError(msg)
