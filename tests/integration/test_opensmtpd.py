"""Mails through OpenSMTPD, Debian's package: a server of another make, which delivers into a mailbox.

Without TLS, for that of Debian's 6.8 fails with OpenSSL 3; test_smtp_pool.py has TLS.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from processors.email.mail import Mail, MailDeferredError, MailRefusedError
from processors.email.smtp.mailer import SmtpMailer
from processors.email.smtp.server import Server, Tls
from queue_lib.broker.board import MemoryBoard
from tests.support.polling import until
from tests.support.ports import free_port
from tests.support.programs import CiSettings, find_program

if TYPE_CHECKING:
    from collections.abc import Iterator

    from processors.email.mail import Receipt

pytestmark = pytest.mark.matrix

FOLDER = Path("/var/tmp/pushmill-opensmtpd")  # noqa: S108 - another user must be able to enter it
CONFIGURATION = """
table everybody {{ "@" = nobody }}
smtp max-message-size 1M
listen on lo port {port}
action "keep" maildir "{mails}" virtual <everybody>
match from any for domain "example.com" action "keep"
"""
BODY = b".dot\n.\n..\nend\n"
CONTENT = b"From: app@example.com\r\nSubject: Hello\r\n\r\n" + BODY.replace(b"\n", b"\r\n")


@pytest.fixture
def port() -> Iterator[int]:
    """OpenSMTPD's port. It changes users, and its spool is Debian's, so no other one may run."""
    if os.geteuid() != 0:
        pytest.skip("only root can start OpenSMTPD")
    smtpd = find_program(CiSettings(), "OpenSMTPD is not installed: apt-get install opensmtpd", "/usr/sbin/smtpd")
    shutil.rmtree(FOLDER, ignore_errors=True)
    mails = FOLDER / "mails"
    mails.mkdir(parents=True)
    shutil.chown(mails, "nobody", "nogroup")
    port, configuration = free_port(), FOLDER / "smtpd.conf"
    configuration.write_text(CONFIGURATION.format(port=port, mails=mails))
    with subprocess.Popen([smtpd, "-d", "-f", str(configuration)], stderr=subprocess.DEVNULL) as process:
        yield port
        process.terminate()
    shutil.rmtree(FOLDER)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


async def test_mails_are_delivered(port: int) -> None:
    """Each accepted recipient has the mail as it was sent; others have a verdict; the connection is used again."""
    mailer, board = SmtpMailer(Server("127.0.0.1", port, Tls.OFFERED), 2), MemoryBoard()

    async def send(*recipients: str, content: bytes = CONTENT) -> Receipt:
        return await mailer.send(Mail("<1@example.com>", "app@example.com", recipients, content), note, board)

    async def note() -> None:
        pass

    await until(lambda: _listens(port))
    receipt = await send("ann@example.com", "bob@elsewhere.invalid")
    assert receipt.accepted == ("ann@example.com",)
    assert [(each.address, each.code) for each in receipt.rejected] == [("bob@elsewhere.invalid", 550)]
    assert receipt.response.startswith("250 2.0.0 ")
    nobody = await send("bob@elsewhere.invalid")
    assert (nobody.accepted, len(nobody.rejected)) == ((), 1)
    with pytest.raises((MailRefusedError, MailDeferredError)):  # it hangs up in the middle, with or without a word
        await send("ann@example.com", content=CONTENT + b"x" * 70 * 1024 + b"0123456789\r\n" * 100_000)
    assert (await send("cy@example.com", "ann@example.com")).accepted == ("cy@example.com", "ann@example.com")
    await mailer.close()
    await until(lambda: len(_delivered()) == 3)
    assert {content.partition(b"\n\n")[2] for content in _delivered()} == {BODY}


def _delivered() -> list[bytes]:
    return [path.read_bytes() for path in (FOLDER / "mails" / "new").glob("*")]
