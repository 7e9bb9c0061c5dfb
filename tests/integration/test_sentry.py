"""Reports to Sentry, as a server that takes envelopes sees them, and what is never in them."""

from __future__ import annotations

import gzip
import json
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from queue_lib import wiring
from queue_lib.errors import ConfigurationError, PermanentError
from queue_lib.job import Wire
from queue_lib.observe.events import Event, InternalFault, JobEnded, JobStarted
from queue_lib.observe.sentry import SentryObserver, scrubbed
from queue_lib.outcome import Dead, Done, Failure, Retry
from queue_lib.settings import WorkerSettings
from tests.support.fakes import make_job
from tests.support.polling import until
from tests.support.wires import Mess

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.app import App

SECRET = "s3cr3t-value"
ENDPOINT = f"https://fcm.googleapis.com/fcm/send/{SECRET}:APA91bHun4MxP5egoKMwt2KZFBaFUH-1RYqx"


class Inbox:
    """A server that takes envelopes."""

    def __init__(self, port: int, received: list[bytes]) -> None:
        self.dsn = f"http://{'ab' * 16}@127.0.0.1:{port}/7"
        self.received = received

    @property
    def text(self) -> str:
        """All that has arrived."""
        return b"\n".join(self.received).decode()

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events that have arrived."""
        items = [json.loads(line) for each in self.received for line in each.split(b"\n") if line.startswith(b"{")]
        return [item for item in items if "exception" in item]


@contextmanager
def receiving() -> Iterator[Inbox]:
    """Run the server."""
    received: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the library's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield Inbox(server.server_port, received)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    """The server."""
    with receiving() as inbox:
        yield inbox


def failure(password: str) -> Failure:
    """A failure whose error was raised where a secret is a variable and part of the messages."""
    try:
        try:
            raise KeyError(password)
        except KeyError as error:
            msg = f"no route to {ENDPOINT} with {'k' * 43}"
            raise PermanentError(msg) from error
    except PermanentError as error:
        return Failure.of(error)


def send(inbox: Inbox, *events: Event) -> None:
    """Report, and wait until all is sent."""
    observer = SentryObserver(inbox.dsn)
    for event in events:
        observer(event)
    observer.close()


def test_a_dead_job(inbox: Inbox) -> None:
    """Its queue, wire, name, attempt and reason, and where in the code it failed; nothing of its payload."""
    job = make_job(wire=Wire.RQ, attempt=3, data={"title": SECRET})
    send(inbox, JobEnded(job, Dead(failure(SECRET)), 0.25))

    [event] = inbox.events
    assert {"event": "job_dead", "queue": "work", "wire": "rq", "job": "greet"} == dict(event["tags"])
    assert {"id": "1", "attempt": 3, "seconds": 0.25} == event["extra"]
    [exception] = event["exception"]["values"]
    assert ("PermanentError", "no route to <url> with <token>") == (exception["type"], exception["value"])
    frame = exception["stacktrace"]["frames"][-1]
    assert (__file__, "failure", "raise PermanentError(msg) from error") == (
        frame["filename"],
        frame["function"],
        frame["context_line"].strip(),
    )
    assert "vars" not in inbox.text
    assert "breadcrumbs" not in event
    assert [] == [part for part in (SECRET, "APA91b", "kkkk") if part in inbox.text]


def test_jobs_that_are_not_dead_are_not_reported(inbox: Inbox) -> None:
    """A job that is done, or will be tried again, is not reported; a fault is."""
    job = make_job()
    events = (JobStarted(job), JobEnded(job, Done(None), 1.0), JobEnded(job, Retry(1.0, failure("")), 1.0))
    send(inbox, *events, InternalFault("loop_ended", failure("")))

    [event] = inbox.events
    assert "loop_ended" == event["tags"]["event"]


def test_a_failure_without_an_exception(inbox: Inbox) -> None:
    """A job that is dead because its workers died has a reason and no stack."""
    send(inbox, JobEnded(make_job(), Dead(Failure("its worker died 3 times")), 0.0))

    [exception] = inbox.events[0]["exception"]["values"]
    assert ("its worker died 3 times", False) == (exception["value"], "stacktrace" in exception)


def test_a_reason_is_cut() -> None:
    """To 500 characters."""
    assert 500 == len(scrubbed("word " * 1000))


@pytest.mark.parametrize("dsn", ["nothing", "https://sentry.example/1", "ftp://key@sentry.example/1"])
def test_a_malformed_dsn_is_refused(dsn: str) -> None:
    """The error names the variable, and does not repeat the value."""
    with pytest.raises(ConfigurationError, match=r"^SENTRY_DSN: not a DSN; [^:]*$"):
        SentryObserver(dsn)


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """A DSN without the package is refused, with what to install."""
    monkeypatch.delitem(sys.modules, "queue_lib.observe.sentry")
    monkeypatch.setitem(sys.modules, "sentry_sdk", None)
    settings = WorkerSettings(redis_url="redis://x", sentry_dsn="https://key@sentry.example/1")
    with pytest.raises(ConfigurationError, match=r"SENTRY_DSN: .*not installed; pip install sentry-sdk"):
        wiring.sentry(settings)


async def test_a_worker_reports_its_dead_jobs(app: App, inbox: Inbox) -> None:
    """`python worker.py` with SENTRY_DSN: one event for a dead job, sent before the process ends."""
    bad = {"userId": [SECRET], "payload": {"title": SECRET, "body": SECRET}}
    async with Mess.at(app.env["REDIS_URL"], app.folder) as mess, app.worker(SENTRY_DSN=inbox.dsn) as worker:
        await mess.bullmq("push-notification", bad)
        await worker.logged("job_dead")
        await until(lambda: inbox.events)
        status, _ = await worker.terminate(8.0)

    [event] = inbox.events
    assert (0, "push-notification", "job_dead") == (status, event["tags"]["job"], event["tags"]["event"])
    assert "bad payload for push-notification: userId" in event["exception"]["values"][0]["value"]
    assert [] == [part for part in (SECRET, app.env["VAPID_PRIVATE_KEY"]) if part in inbox.text]
