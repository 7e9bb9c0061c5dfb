"""Mails as programs of other authors receive and read them: Nodemailer's server, and its author's parser."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

from tests.support.node import node_mailbox, use
from tests.support.worker_process import WorkerProcess

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.support.wires import Mess

LOGO, BILL = b"\x89PNG\r\n\x1a\n logo", b"%PDF-1.7 \xff\r\n.\r\n.." + bytes(range(256))
HTML = (
    '<p>Grüße, 日本 &amp; 🎉</p>\n.\n..dots\n<img src="cid:logo"><a href="https://app.example/r?a=1&amp;b=2">here</a>'
)
MAIL: dict[str, Any] = {
    "to": ['"Ada, Countess" <ada@example.com>', {"name": "Grüße 🎉", "address": "grüße@example.com"}],
    "bcc": "audit@example.com",
    "replyTo": "help@app.example",
    "subject": "Ihr Überblick für heute 🎉, " + "sehr lang " * 12,
    "html": HTML,
    "attachments": [
        {"path": "logo.png", "cid": "logo"},
        {"path": "bill.pdf", "filename": "Rechnung für März.pdf"},
    ],
    "headers": {"X-Campaign": "märz"},
    "unsubscribeUrl": "https://app.example/u?t=1",
}


async def test_a_mail_is_read_as_it_was_written(
    mess: Mess, smtp_certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After STARTTLS and a password: addresses, names, texts, images and files, byte by byte."""
    use("bullmq6", monkeypatch)
    (mess.folder / "files").mkdir()
    (mess.folder / "files" / "logo.png").write_bytes(LOGO)
    (mess.folder / "files" / "bill.pdf").write_bytes(BILL)
    async with node_mailbox(*smtp_certificate) as (port, next_mail):
        env = {
            "REDIS_URL": mess.url,
            "QUEUES": "email",
            "STORAGE_URL": f"file://{mess.folder}/files",
            "SMTP_URL": f"smtp://app:p%C3%A4ss@127.0.0.1:{port}",
            "SSL_CERT_FILE": str(smtp_certificate[0]),
            "MAIL_FROM": "Bücher <shop@app.example>",
        }
        async with WorkerProcess(env, mess.folder) as worker:
            await mess.bullmq("generic", MAIL, queue="email")
            mail = await next_mail()
            await worker.logged("job_done")

    assert (True, "app", "shop@app.example") == (mail["secure"], mail["user"], mail["sender"])
    assert ["ada@example.com", "grüße@example.com", "audit@example.com"] == mail["recipients"]
    assert [["Bücher", "shop@app.example"]] == mail["from"]
    assert [["Ada, Countess", "ada@example.com"], ["Grüße 🎉", "grüße@example.com"]] == mail["to"]
    assert [["", "help@app.example"]] == mail["replyTo"]
    assert MAIL["subject"].strip() == mail["subject"]
    image = f"data:image/png;base64,{base64.b64encode(LOGO).decode()}"  # the parser puts it in place of its id
    assert HTML.replace("cid:logo", image) == mail["html"].replace("\r\n", "\n").rstrip("\n")
    assert "Grüße, 日本 & 🎉" in mail["text"]
    assert "https://app.example/r?a=1&b=2" in mail["text"]
    assert [
        ["logo.png", "image/png", "logo", hashlib.sha256(LOGO).hexdigest()],
        ["Rechnung für März.pdf", "application/pdf", None, hashlib.sha256(BILL).hexdigest()],
    ] == [[each.get(name) for name in ("filename", "contentType", "cid", "hash")] for each in mail["attachments"]]
    assert "List-Unsubscribe: <https://app.example/u?t=1>" == mail["headers"]["list-unsubscribe"]
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" == mail["headers"]["list-unsubscribe-post"]
    assert "bcc" not in mail["headers"]
