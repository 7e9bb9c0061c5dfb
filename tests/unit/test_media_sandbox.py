"""What the end of a child process means, and what it gets to see."""

from __future__ import annotations

import signal

import pytest

from processors.media.refusal import REFUSED_STATUS
from processors.media.sandbox import _verdict
from processors.media.settings import MediaSettings
from queue_lib.errors import PermanentError, SnoozeError, TransientError


def test_a_report_is_returned() -> None:
    """Exit status 0 with a JSON object is a success, whatever stood on stderr."""
    assert _verdict(0, '{"width": 1}', "a warning") == {"width": 1}


def test_a_refusal_is_permanent() -> None:
    """The dedicated exit status with a reason fails the job for good, with that reason."""
    with pytest.raises(PermanentError, match=r"^the picture is damaged$"):
        _verdict(REFUSED_STATUS, '{"refused": "the picture is damaged"}', "")


def test_a_kill_is_transient_and_names_the_signal() -> None:
    """A child that the system killed, as for want of memory, is tried again."""
    with pytest.raises(TransientError, match="killed by SIGKILL"):
        _verdict(-signal.SIGKILL, "", "")


def test_the_platforms_sigterm_costs_no_attempt() -> None:
    """A platform that stops a worker signals its children, too: the job is put off, and no attempt is counted."""
    with pytest.raises(SnoozeError, match="told to stop"):
        _verdict(-signal.SIGTERM, "", "")


def test_a_signal_without_a_name_has_its_number() -> None:
    """Real-time signals, most of which have no name, are reported too."""
    with pytest.raises(TransientError, match="killed by signal 40"):
        _verdict(-40, "", "")


@pytest.mark.parametrize(
    ("status", "stdout", "stderr", "expected"),
    [
        (1, "", "Traceback\n  ...\nMemoryError\n", "status 1: MemoryError"),
        (1, '{"width": 1}', "", "status 1: it said nothing"),
        (0, "", "", "status 0: it said nothing"),
        (0, "not JSON", "", "status 0: it said nothing"),
        (0, "[1]", "", "status 0: it said nothing"),
        (REFUSED_STATUS, "", "usage", "status 65: usage"),
    ],
)
def test_anything_else_is_transient(status: int, stdout: str, stderr: str, expected: str) -> None:
    """A crash, or a report that is none, is tried again and shows the last line of stderr."""
    with pytest.raises(TransientError, match=expected):
        _verdict(status, stdout, stderr)


def test_the_child_sees_where_programs_are_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the environment only the paths go to a child."""
    monkeypatch.setenv("PATH", "/bin")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/lib")
    monkeypatch.setenv("PYTHONHOME", "")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")

    assert MediaSettings().child_env() == {"PATH": "/bin", "LD_LIBRARY_PATH": "/lib"}
