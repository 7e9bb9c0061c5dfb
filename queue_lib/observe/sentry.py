"""Reports to Sentry: jobs that failed for good, and faults of our own. No payload, endpoint, key or variable is in one.

The stack is made of places in the code alone. URLs and long tokens are cut out of a reason.
"""

from __future__ import annotations

import linecache
import re
from typing import TYPE_CHECKING, Any

import sentry_sdk
from sentry_sdk.utils import BadDsn

from queue_lib.errors import ConfigurationError
from queue_lib.observe.events import Event, InternalFault, JobEnded
from queue_lib.outcome import Dead

if TYPE_CHECKING:
    from queue_lib.outcome import Failure, Frame

LONGEST = 200  # characters of a name or an id
LONGEST_REASON = 500
FAREWELL = 1.0  # seconds that are waited at the end for what is not sent yet
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)
_TOKEN = re.compile(r"[\w.%+/=-]{32,}", re.ASCII)


class SentryObserver:
    """Sends an event for each dead job and each fault, from a thread of the library's own; what is too much is dropped.

    Everything that the library would find out by itself is off: integrations, variables, breadcrumbs, traces, sessions.
    So are personal data, unless one asks for them.
    """

    def __init__(self, dsn: str) -> None:
        """Raises ConfigurationError for a DSN that is none."""
        try:
            self._client = sentry_sdk.Client(
                dsn=dsn,
                auto_enabling_integrations=False,
                auto_session_tracking=False,
                default_integrations=False,
                enable_backpressure_handling=False,
                include_local_variables=False,
                include_source_context=False,
                max_breadcrumbs=0,
                send_client_reports=False,
                traces_sample_rate=None,
            )
        except BadDsn:
            msg = "SENTRY_DSN: not a DSN; copy it from the project's settings in Sentry"
            raise ConfigurationError(msg) from None

    def __call__(self, event: Event) -> None:
        """Report, if it is something to report."""
        match event:
            case JobEnded(job, Dead(failure), seconds):
                tags = {"queue": job.queue, "wire": job.wire.value, "job": job.name[:LONGEST]}
                extra = {"id": job.id[:LONGEST], "attempt": job.attempt, "seconds": round(seconds, 3)}
                self._report("job_dead", failure, tags, extra)
            case InternalFault(word, failure):
                self._report(word, failure, {}, {})
            case _:
                pass

    def close(self) -> None:
        """Send what is left, for a second at most. It blocks: call it in a thread."""
        self._client.close(timeout=FAREWELL)

    def _report(self, word: str, failure: Failure, tags: dict[str, str], extra: dict[str, Any]) -> None:
        exception: dict[str, Any] = {"type": failure.kind or "Failure", "value": scrubbed(failure.reason)}
        if failure.frames:
            exception["stacktrace"] = {"frames": [_frame(frame) for frame in failure.frames]}
        self._client.capture_event(
            {
                "level": "error",
                "logger": "pushmill",
                "transaction": tags.get("job", word),
                "tags": {"event": word, **tags},
                "extra": extra,
                "exception": {"values": [exception]},
            }
        )


def scrubbed(reason: str) -> str:
    """A reason without URLs and long tokens, in 500 characters at most."""
    return _TOKEN.sub("<token>", _URL.sub("<url>", reason))[:LONGEST_REASON]


def _frame(frame: Frame) -> dict[str, Any]:
    file, line, function = frame
    return {
        "filename": file,
        "lineno": line,
        "function": function,
        "context_line": linecache.getline(file, line).rstrip("\n"),
        "in_app": "site-packages" not in file,
    }
