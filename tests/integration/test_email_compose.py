"""Mails made by the real sandbox of the app's templates and files: within limits, signed, and left nowhere."""

from __future__ import annotations

from dataclasses import replace
from email import message_from_bytes
from email.policy import default
from typing import TYPE_CHECKING, Any

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from processors.email.compose import Composer
from processors.email.payload import EmailPayload
from processors.email.settings import EmailSettings
from processors.email.signing import signer_of
from processors.email.words import LIMITS, TASK, Writer
from processors.sandbox.client import Sandbox
from processors.sandbox.limits import MEBIBYTE
from processors.sandbox.shortage import NoRoomError
from queue_lib.errors import ConfigurationError, PermanentError, SnoozeError
from storage.objects.local import LocalStore
from storage.objects.location import LocalLocation, parse_location

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from processors.email.mail import Mail

ID = "<1@b.example>"


@pytest.fixture
async def composer(tmp_path: Path) -> AsyncIterator[Composer]:
    """With templates and files in folders of the test, and 100 MiB for children."""
    for name in ("templates", "files"):
        (tmp_path / name).mkdir()
    sandbox = Sandbox(memory=100 * MEBIBYTE)
    sandbox.preload(TASK)
    location = parse_location(f"file://{tmp_path}/files")
    assert isinstance(location, LocalLocation)
    store = LocalStore(location)
    writer = Writer(sandbox, tmp_path / "templates", replace(LIMITS, cpu=1))
    yield Composer("Shop <shop@b.example>", writer, store, MEBIBYTE)
    assert sandbox._folders.are_empty
    assert sandbox._memory._free == sandbox._memory.total
    await sandbox.close()


def template(composer: Composer, text: str, name: str = "welcome.html") -> None:
    """Write a template."""
    assert composer.writer.templates is not None
    (composer.writer.templates / name).write_text(text)


async def mail(composer: Composer, **fields: Any) -> Mail:
    """A mail."""
    given = {"to": "ada@b.example", "subject": "s"} | fields
    async with composer(EmailPayload.model_validate(given), ID) as made:
        return made


def parts(made: Mail) -> dict[str, Any]:
    """Content by type."""
    message = message_from_bytes(made.content, policy=default)
    return {part.get_content_type(): part.get_content() for part in message.walk() if not part.is_multipart()}


async def test_a_template_becomes_a_mail(composer: Composer) -> None:
    """Its subject, its html, and text with its links."""
    template(composer, "<p>Hi {{ name }}</p><a href='https://b.example/{{ token }}'>Reset</a>")
    template(composer, "Hello\n{{ name }}", "welcome.subject.txt")
    made = await mail(composer, subject=None, template="welcome", variables={"name": "<Ada>", "token": 7})

    assert message_from_bytes(made.content, policy=default)["Subject"] == "Hello <Ada>"
    assert parts(made) == {
        "text/plain": "Hi <Ada>\r\n\r\n[Reset](<https://b.example/7>)\r\n",
        "text/html": "<p>Hi &lt;Ada&gt;</p><a href='https://b.example/7'>Reset</a>\r\n",
    }
    assert (made.recipients, made.sender, made.utf8) == (("ada@b.example",), "shop@b.example", False)


async def test_everybody_gets_it_once(composer: Composer) -> None:
    """Also those that no header names."""
    to = ["a@b.example", {"name": "B", "address": "b@b.example"}]
    made = await mail(composer, text="t", to=to, cc="a@b.example", bcc=["c@b.example"], **{"from": "X <x@b.example>"})

    assert (made.recipients, made.sender) == (("a@b.example", "b@b.example", "c@b.example"), "x@b.example")


HOSTILE = {
    "a huge value": ("{{ 'a' * 200000000 }}", "more memory"),
    "loops in loops": (
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "1 s of processor time",
    ),
    "a huge power": ("{{ 9 ** (9 ** 7) }}", "1 s of processor time|more memory|ValueError"),
    "itself": ("{% include 'welcome.html' %}", "RecursionError while it was filled"),
    "the environment": ("{{ self._TemplateReference__context.environment }}", "unsafe|undefined|no attribute"),
}


@pytest.mark.parametrize(("text", "reason"), HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_template_is_stopped_at_its_limits(composer: Composer, text: str, reason: str) -> None:
    """It fails for good, and the next one is filled."""
    template(composer, text)
    template(composer, "fine", "fine.html")

    with pytest.raises(PermanentError, match=reason):
        await mail(composer, template="welcome")
    assert parts(await mail(composer, template="fine"))["text/html"] == "fine\r\n"


async def test_text_of_hostile_html_is_stopped(composer: Composer) -> None:
    """Nested lists take html2text minutes; a mail with text of its own needs none."""
    nested = "<ul><li>" * 30_000

    with pytest.raises(PermanentError, match=r"1 s of processor time|more memory"):
        await mail(composer, html=nested)
    assert parts(await mail(composer, html=nested, text="t"))["text/plain"] == "t\r\n"


async def test_files_go_with_the_mail(composer: Composer, tmp_path: Path) -> None:
    """By their keys. Too many bytes, a missing object or no memory for them are told."""
    (tmp_path / "files" / "bill.pdf").write_bytes(b"%PDF-1.7 \xff")
    (tmp_path / "files" / "large").write_bytes(bytes(MEBIBYTE - 9))
    bill, large = {"path": "bill.pdf"}, {"path": "large"}

    assert parts(await mail(composer, text="t", attachments=[bill]))["application/pdf"] == b"%PDF-1.7 \xff"
    with pytest.raises(PermanentError, match=r"more than 1 MiB \(EMAIL_MAX_ATTACHMENTS\); send a link"):
        await mail(composer, text="t", attachments=[large, bill])
    with pytest.raises(PermanentError, match=r"nothing is stored under its attachments\.1\.path"):
        await mail(composer, text="t", attachments=[bill, {"path": "gone"}])
    with pytest.raises(PermanentError, match="STORAGE_URL is not set"):
        await mail(replace(composer, objects=None), text="t", attachments=[bill])


async def test_files_wait_for_memory(composer: Composer, tmp_path: Path) -> None:
    """While a mail is being sent its memory is reserved."""
    (tmp_path / "files" / "large").write_bytes(bytes(MEBIBYTE - 9))
    payload = EmailPayload.model_validate(
        {"to": "a@b.example", "subject": "s", "text": "t"} | {"attachments": [{"path": "large"}]}
    )

    async with composer(payload, ID):
        held = composer.writer.sandbox._memory
        assert 4 * MEBIBYTE < held.total - held._free < 6 * MEBIBYTE


async def test_a_retry_is_one_mail_to_resend(composer: Composer) -> None:
    """Its key is the job's own, or the Message-ID; other servers get none."""
    resend = replace(composer, is_resend=True)
    keys = [
        message_from_bytes((await mail(each, text="t", **fields)).content)["Resend-Idempotency-Key"]
        for each, fields in ((resend, {"idempotencyKey": "order-7"}), (resend, {}), (composer, {"idempotencyKey": "x"}))
    ]

    assert keys == ["order-7", ID, None]


def dkim_settings(**changes: Any) -> tuple[EmailSettings, bytes]:
    """Settings with a fresh key, and the record of its public half."""
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    record = "v=DKIM1; k=rsa; p=" + "".join(public.split("\n")[1:-2])
    given = {
        "mail_from": "shop@b.example",
        "email_dkim_domain": "b.example",
        "email_dkim_selector": "mail",
        "email_dkim_private_key": pem.replace("\n", "\\n"),
    }
    return EmailSettings.model_validate(given | changes), record.encode()


async def test_a_signature_holds(composer: Composer) -> None:
    """A verifier finds it valid for the mail, and invalid when a header of the list, or the body, is another."""
    configured, record = dkim_settings()
    signing = replace(composer, signer=signer_of(configured))
    made = await mail(signing, html="<p>ü</p>", text="ü " * 500, unsubscribeUrl="https://b.example/u?t=1")

    def look_up(name: bytes, **_: Any) -> bytes:
        return record if name == b"mail._domainkey.b.example." else b""

    def holds(content: bytes) -> bool:
        return bool(dkim.verify(content, dnsfunc=look_up))

    assert holds(made.content)
    changes = {b"t=1>": b"t=2>", b"One-Click": b"One-Clock", b"Subject: s": b"Subject: t", b"</p>": b"</P>"}
    for before, after in changes.items():
        assert made.content != made.content.replace(before, after)
        assert not holds(made.content.replace(before, after))


def test_a_key_that_can_not_sign_is_told_at_the_start() -> None:
    """And it is not repeated."""
    key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----"
    configured, _ = dkim_settings(email_dkim_private_key=key)
    with pytest.raises(ConfigurationError, match=r"EMAIL_DKIM_PRIVATE_KEY: nothing can be signed with it") as caught:
        signer_of(configured)
    assert "c2VjcmV0" not in str(caught.value)


async def test_no_room_is_no_fault_of_the_mail(composer: Composer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is put off."""

    async def full() -> Path:
        full_disk = NoRoomError("the disk is full")
        raise full_disk

    monkeypatch.setattr(composer.writer.sandbox, "folder", full)
    monkeypatch.setattr(composer.writer.sandbox, "check", full)
    with pytest.raises(SnoozeError, match="the disk is full"):
        await mail(composer, html="<p>h</p>")
