"""The port `Tools` of `queue_lib.jobs`, over the tools of the process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from queue_lib.addition import Addition, NewJob
from queue_lib.jobs.dispatching import add

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Unpack

    from processors.outbound import HttpClient
    from processors.tools import Tools
    from queue_lib.admin.admission import Admission
    from queue_lib.jobs.dispatching import Options
    from queue_lib.jobs.toolbox import Cache, Database
    from storage.objects.base import ObjectStore


@dataclass(frozen=True, slots=True)
class Toolkit:
    """What `self.tools` of a job is."""

    tools: Tools
    admission: Admission

    @property
    def database(self) -> Database:
        """The app's database."""
        return self.tools.storage.engine()

    @property
    def objects(self) -> ObjectStore:
        """The object store."""
        return self.tools.storage.objects()

    @property
    def http(self) -> HttpClient:
        """The HTTP client."""
        return self.tools.http

    @property
    def cache(self) -> Cache:
        """The cache."""
        return self.tools.cache

    async def enqueue(self, name: str, data: Mapping[str, Any], **options: Unpack[Options]) -> str:
        """Add a job by its name."""
        addition = Addition(name=name, data=dict(data), **options)
        return await add(NewJob(self.admission.queue_of(addition), addition))
