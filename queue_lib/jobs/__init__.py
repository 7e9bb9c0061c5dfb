"""All that a team's own jobs need, in one place; docs/own-jobs.md shows how they are written."""

from queue_lib.addition import Batch, Deduplication, NewJob
from queue_lib.bridge import AppEvent, Bridge
from queue_lib.errors import PermanentError, SnoozeError, TransientError
from queue_lib.job import Backoff
from queue_lib.jobs.dispatching import cancel, dispatch_many
from queue_lib.jobs.own_job import Job
from queue_lib.jobs.toolbox import Cache, Database, Http, Objects, Tools
from queue_lib.processor import Context, Model
from queue_lib.queues import Queue, Retention
from queue_lib.schedule import Schedule
from queue_lib.shown import Facts, Link, Part, Picture, Table, Text, Words

__all__ = [
    "AppEvent",
    "Backoff",
    "Batch",
    "Bridge",
    "Cache",
    "Context",
    "Database",
    "Deduplication",
    "Facts",
    "Http",
    "Job",
    "Link",
    "Model",
    "NewJob",
    "Objects",
    "Part",
    "PermanentError",
    "Picture",
    "Queue",
    "Retention",
    "Schedule",
    "SnoozeError",
    "Table",
    "Text",
    "Tools",
    "TransientError",
    "Words",
    "cancel",
    "dispatch_many",
]
