"""All that a team's own jobs need, in one place; docs/own-jobs.md shows how they are written."""

from queue_lib.errors import PermanentError, SnoozeError, TransientError
from queue_lib.job import Backoff
from queue_lib.jobs.own_job import Job
from queue_lib.jobs.toolbox import Cache, Database, Http, Objects, Tools
from queue_lib.processor import Context, Model
from queue_lib.queues import Queue, Retention

__all__ = [
    "Backoff",
    "Cache",
    "Context",
    "Database",
    "Http",
    "Job",
    "Model",
    "Objects",
    "PermanentError",
    "Queue",
    "Retention",
    "SnoozeError",
    "Tools",
    "TransientError",
]
