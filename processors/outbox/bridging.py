"""Which jobs follow an event: the table of bridges, applied to one event at a time."""

from __future__ import annotations

import fnmatch
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from queue_lib.addition import Addition, NewJob
from queue_lib.errors import PermanentError
from queue_lib.outcome import reason_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from queue_lib.admin.admission import Admission
    from queue_lib.bridge import AppEvent, Bridge
    from queue_lib.chore import PackedJob

MOST_TOPICS = 1000  # of which it is remembered what matches them
NOT_IN_AN_ID = re.compile(r"[^A-Za-z0-9_-]")
LONGEST_NAME = 60  # characters of a job's name in an id


class Bridging:
    """The bridges, with the jobs that there are."""

    def __init__(
        self, bridges: Sequence[Bridge], admission: Admission, prefix: str, pack: Callable[[NewJob], PackedJob]
    ) -> None:
        """`prefix` is that of the channels; a pattern without it has it added. `pack` is the post's."""
        self._admission = admission
        self._pack = pack
        whole = [(_with_prefix(bridge.topic, prefix), bridge) for bridge in bridges]
        self._patterns = [(re.compile(fnmatch.translate(pattern)), bridge) for pattern, bridge in whole]
        self._matching: dict[str, list[Bridge]] = {}

    def jobs(self, event: AppEvent, key: str) -> list[PackedJob]:
        """The jobs that follow; their ids are made of `key`, so that adding them again adds nothing.

        Raises PermanentError, which names the bridge, if one of them can't be added.
        """
        made: list[PackedJob] = []
        names: list[str] = []
        for bridge in self._for(event.topic):
            try:
                job_id = _job_id(key, bridge.job, names.count(bridge.job))
                if (addition := _addition(bridge, event, job_id)) is not None:
                    made.append(self.packed(addition))
                    names.append(bridge.job)
            except Exception as error:  # a function of the team's may raise any
                msg = f"the bridge of {bridge.topic} to {bridge.job}: {reason_of(error)}"
                raise PermanentError(msg) from error
        return made

    def packed(self, addition: Addition) -> PackedJob:
        """The job, in its queue. Raises PermanentError for a job that there is not, and for data that is no payload."""
        schema = self._admission.schema(addition.name)
        packed = self._pack(NewJob(schema.queue, addition))
        try:
            schema.parse(addition.data)
        except PermanentError:
            raise
        except Exception as error:  # a validator of the team's may raise any
            msg = f"the payload of {addition.name}: {reason_of(error)}"
            raise PermanentError(msg) from error
        return packed

    def _for(self, topic: str) -> list[Bridge]:
        if (found := self._matching.get(topic)) is None:
            if len(self._matching) >= MOST_TOPICS:
                self._matching.clear()
            found = [bridge for pattern, bridge in self._patterns if pattern.match(topic)]
            self._matching[topic] = found
        return found


def _with_prefix(pattern: str, prefix: str) -> str:
    return pattern if pattern.startswith(f"{prefix}.") else f"{prefix}.{pattern}"


def _addition(bridge: Bridge, event: AppEvent, job_id: str) -> Addition | None:
    data = bridge.data(event)
    if data is None:
        return None
    deduplication = bridge.deduplication(event) if bridge.deduplication is not None else None
    return Addition(name=bridge.job, data=data, job_id=job_id, deduplication=deduplication)


def _job_id(key: str, name: str, earlier: int) -> str:
    """`outbox-17-index_doc`, and `outbox-17-index_doc-1` for a second one of that name."""
    return f"{key}-{_fit(name)}-{earlier}" if earlier else f"{key}-{_fit(name)}"


@lru_cache(1000)
def _fit(name: str) -> str:
    return NOT_IN_AN_ID.sub("_", name)[:LONGEST_NAME]
