"""What operators see of a team's own jobs: what their classes say in `shows`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from queue_lib.jobs.own_module import fault_of
from queue_lib.shown import Part, Showing, Words
from storage.objects.places import public_places

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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
        found = tuple(jobs[seen.name].shows(seen.payload, seen.result))
        _check(found)
    except Exception as error:  # noqa: BLE001 -- an error of the team's must not hide the rest of the page
        return (Words(f"The job's `shows` failed: {fault_of(error)}"),)
    return found


def _check(parts: Sequence[object]) -> None:
    for part in parts:
        if not isinstance(part, Part):
            msg = f"{type(part).__name__} is no part; write Words(...), Facts(...), Table(...) or another"
            raise TypeError(msg)
