"""Which jobs may be added. A job that could only become a dead letter is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from queue_lib.errors import PermanentError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from queue_lib.addition import Addition
    from queue_lib.processor import JobSchema


class UnfitJobsError(PermanentError):
    """Some of several jobs can't be added; `faults` has the reason for each, by its number in the list."""

    def __init__(self, faults: Mapping[int, str]) -> None:
        """Say how many."""
        super().__init__(f"{len(faults)} of the jobs are not fit to be enqueued")
        self.faults = faults


class Admission:
    """Knows all jobs by their schemas. Internal jobs can't be added by operators or clients."""

    def __init__(self, schemas: Sequence[JobSchema]) -> None:
        """`schemas` are those of all features."""
        self._schemas = {schema.name: schema for schema in schemas}

    def of(self, queue: str) -> list[JobSchema]:
        """The jobs of a queue that may be added."""
        return [schema for schema in self._schemas.values() if schema.queue == queue and not schema.internal]

    def queue_of(self, addition: Addition) -> str:
        """The queue that the job belongs to. Raises PermanentError, which says why, for a job that can't be added."""
        schema = self.schema(addition.name)
        addition.check()
        schema.parse(addition.data)
        return schema.queue

    def schema(self, name: str) -> JobSchema:
        """The schema of a job. Raises PermanentError for one that there is not, and for an internal one."""
        schema = self._schemas.get(name)
        if schema is None or schema.internal:
            known = ", ".join(sorted(name for name, schema in self._schemas.items() if not schema.internal))
            msg = f"no such job: {name[:100]!r}; there are {known}"
            raise PermanentError(msg)
        return schema
