"""Which mail server the environment names: Nodemailer's names, and one clear line for each misuse."""

from __future__ import annotations

import os

import pytest

from processors.email.smtp.server import Server, Tls
from processors.email.smtp.settings import SmtpSettings
from queue_lib.errors import ConfigurationError
from queue_lib.settings import load


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    """Only the test's own variables."""
    monkeypatch.chdir(str(tmp_path))
    for name in [name for name in os.environ if name.upper().startswith("SMTP_")]:  # noqa: TID251
        monkeypatch.delenv(name)


def read(monkeypatch: pytest.MonkeyPatch, text: str) -> SmtpSettings:
    """The settings of `NAME=value` pairs, as in `SMTP_HOST=a SMTP_PORT=1`."""
    for pair in text.split():
        name, _, value = pair.partition("=")
        monkeypatch.setenv(name, value)
    [settings] = load(SmtpSettings)
    assert isinstance(settings, SmtpSettings)
    return settings


REMOTE = "smtp.example.com"
SIGNED_IN = "SMTP_USER=app SMTP_PASS=p@ss"


@pytest.mark.parametrize(
    ("text", "server"),
    [
        pytest.param(f"SMTP_HOST={REMOTE}", Server(REMOTE, 587, Tls.OFFERED), id="a host alone"),
        pytest.param(f"SMTP_HOST={REMOTE} SMTP_PORT=465", Server(REMOTE, 465, Tls.IMPLICIT), id="port 465"),
        pytest.param(f"SMTP_HOST={REMOTE} SMTP_SECURE=true", Server(REMOTE, 465, Tls.IMPLICIT), id="secure"),
        pytest.param(
            f"SMTP_HOST={REMOTE} SMTP_PORT=2465 SMTP_SECURE=true",
            Server(REMOTE, 2465, Tls.IMPLICIT),
            id="secure on a port of its own",
        ),
        pytest.param(f"SMTP_HOST={REMOTE} SMTP_SECURE=false", Server(REMOTE, 587, Tls.OFFERED), id="not secure"),
        pytest.param(
            f"SMTP_HOST={REMOTE} {SIGNED_IN}",
            Server(REMOTE, 587, Tls.REQUIRED, "app", "p@ss"),
            id="a password is not sent in the clear",
        ),
        pytest.param(
            f"SMTP_HOST={REMOTE} {SIGNED_IN} SMTP_REQUIRE_TLS=0",
            Server(REMOTE, 587, Tls.OFFERED, "app", "p@ss"),
            id="unless told to",
        ),
        pytest.param(
            f"SMTP_HOST=localhost SMTP_PORT=1025 {SIGNED_IN}",
            Server("localhost", 1025, Tls.OFFERED, "app", "p@ss"),
            id="a password on this machine",
        ),
        pytest.param(f"SMTP_HOST={REMOTE} SMTP_REQUIRE_TLS=1", Server(REMOTE, 587, Tls.REQUIRED), id="required"),
        pytest.param("SMTP_HOST=127.0.0.1 SMTP_IGNORE_TLS=1", Server("127.0.0.1", 587, Tls.NEVER), id="ignored"),
        pytest.param("SMTP_HOST=[::1]", Server("::1", 587, Tls.OFFERED), id="IPv6"),
        pytest.param(
            f"SMTP_URL=smtp://app:p%40ss@{REMOTE}", Server(REMOTE, 587, Tls.REQUIRED, "app", "p@ss"), id="a URL"
        ),
        pytest.param(f"SMTP_URL=smtps://{REMOTE}/", Server(REMOTE, 465, Tls.IMPLICIT), id="a URL with TLS"),
        pytest.param(f"SMTP_URL=smtp://{REMOTE}:465", Server(REMOTE, 465, Tls.IMPLICIT), id="a URL with port 465"),
        pytest.param("SMTP_URL=smtp://[::1]:1025", Server("::1", 1025, Tls.OFFERED), id="a URL with IPv6"),
    ],
)
def test_what_they_name(monkeypatch: pytest.MonkeyPatch, text: str, server: Server) -> None:
    """The settings name a server, how it is reached, and how we sign in."""
    assert server == read(monkeypatch, text).server


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("", "SMTP_HOST: not set; set it to the mail server's name", id="nothing"),
        pytest.param("SMTP_PORT=587", "SMTP_HOST: not set", id="a port alone"),
        pytest.param(
            f"SMTP_HOST={REMOTE} SMTP_PORT=587 SMTP_SECURE=true",
            "SMTP_SECURE: port 587 wants STARTTLS: leave it out, or use port 465",
            id="secure on 587",
        ),
        pytest.param(
            f"SMTP_HOST={REMOTE} SMTP_PORT=465 SMTP_SECURE=false",
            "SMTP_SECURE: port 465 speaks TLS from the start: leave it out, or use port 587",
            id="not secure on 465",
        ),
        pytest.param(f"SMTP_HOST={REMOTE} SMTP_SECURE=STARTTLS", "SMTP_SECURE: write true for TLS", id="a word"),
        pytest.param(f"SMTP_HOST=smtp://{REMOTE}", "SMTP_HOST: no host name: write the name alone", id="a URL as host"),
        pytest.param(f"SMTP_HOST={REMOTE}:587", "SMTP_HOST: no host name: write the name alone", id="a port in it"),
        pytest.param(f"SMTP_HOST={REMOTE} SMTP_USER=app", "SMTP_PASS: not set, but SMTP_USER is", id="no password"),
        pytest.param(f"SMTP_HOST={REMOTE} SMTP_PASS=x", "SMTP_PASS: set without SMTP_USER; set both", id="no user"),
        pytest.param(f"SMTP_HOST={REMOTE} SMTP_IGNORE_TLS=1", "SMTP_IGNORE_TLS: only for a server on", id="ignored"),
        pytest.param(
            "SMTP_HOST=localhost SMTP_SECURE=1 SMTP_IGNORE_TLS=1",
            "SMTP_IGNORE_TLS: the connection is TLS from the start",
            id="secure and ignored",
        ),
        pytest.param(
            "SMTP_HOST=localhost SMTP_IGNORE_TLS=1 SMTP_REQUIRE_TLS=1",
            "SMTP_REQUIRE_TLS: set with SMTP_IGNORE_TLS",
            id="required and ignored",
        ),
        pytest.param(f"SMTP_URL=smtp://{REMOTE} SMTP_HOST=a", "SMTP_HOST: set with SMTP_URL", id="a URL and a host"),
        pytest.param(
            f"SMTP_URL=smtp://{REMOTE} {SIGNED_IN}", "SMTP_PASS: set with SMTP_URL", id="a URL and a password"
        ),
        pytest.param(f"SMTP_URL=https://{REMOTE}", "SMTP_URL: no URL of a mail server", id="another scheme"),
        pytest.param(f"SMTP_URL=smtp://app@{REMOTE}", "SMTP_URL: has a user without a password", id="half a sign-in"),
        pytest.param(f"SMTP_URL=smtps://{REMOTE}:587", "SMTP_URL: port 587 wants STARTTLS", id="a URL with 587"),
        pytest.param(f"SMTP_URL=smtp://app:p/ss@{REMOTE}", "SMTP_URL: can't be read", id="a password with a slash"),
        pytest.param(f"SMTP_URL=smtp://app:pss@{REMOTE}/#x", "SMTP_URL: has more than user", id="a fragment"),
        pytest.param(f"SMTP_HOST={REMOTE} SMTP_POOL=0", "SMTP_POOL: ", id="no connection"),
    ],
)
def test_a_misuse_is_one_line(monkeypatch: pytest.MonkeyPatch, text: str, line: str) -> None:
    """Each misuse is told with its variable and what to do, and without a value that may be secret."""
    with pytest.raises(ConfigurationError) as caught:
        read(monkeypatch, text)
    assert any(fault.startswith(line) for fault in caught.value.faults), caught.value.faults
    assert "p/ss" not in str(caught.value)
    assert "p@ss" not in str(caught.value)


def test_passwords_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the settings nor the server show the password where they are printed."""
    settings = read(monkeypatch, f"SMTP_URL=smtp://app:s3cret@{REMOTE}")
    assert "s3cret" not in f"{settings!r} {settings.server!r} {settings.server.name}"
