"""The bytes of a message, as another parser reads them: what was given is there, and nothing more."""

from __future__ import annotations

import base64
from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import default
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.email.attachments import LINE, MEMORY_PER_BYTE, encoded, kind_of
from processors.email.message import File, Words, build, clean
from processors.email.payload import Attachment, EmailPayload, Mailbox

if TYPE_CHECKING:
    from email.message import EmailMessage
    from pathlib import Path

SHOP = Mailbox(name="Shop", address="shop@b.example")
ID = "<1@b.example>"
URL = f"https://b.example/u?{'t' * 300}"


def made(words: Words, *files: File, **fields: Any) -> tuple[EmailMessage, bytes]:
    """A message of these words, parsed, and its bytes."""
    payload = EmailPayload.model_validate({"to": "ada@b.example", "subject": "s", "text": "t"} | fields)
    content, _ = build(payload, SHOP, ID, words, files, {})
    parsed: EmailMessage = message_from_bytes(content, policy=default)
    return parsed, content


def kinds(message: Any) -> Any:
    """The parts' types, nested."""
    if not message.is_multipart():
        return message.get_content_type()
    return [message.get_content_subtype(), *(kinds(part) for part in message.iter_parts())]


def text_of(message: EmailMessage, kind: str) -> str:
    """The body of this kind."""
    body = message.get_body((kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def image(cid: str | None = "logo", name: str = "logo.png") -> File:
    """An image."""
    return File(name, "image/png", cid, base64.encodebytes(b"\x89PNG").replace(b"\n", b"\r\n"))


def test_text_alone_is_one_part() -> None:
    """And so is html alone."""
    assert kinds(made(Words("s", None, "t"))[0]) == "text/plain"
    assert kinds(made(Words("s", "<p>h</p>", None))[0]) == "text/html"


def test_html_and_text_are_alternatives() -> None:
    """The best one stands last (RFC 2046, section 5.1.4)."""
    assert kinds(made(Words("s", "<p>h</p>", "t"))[0]) == ["alternative", "text/plain", "text/html"]


def test_images_of_the_html_are_related_to_it() -> None:
    """Files are beside them. Each has its bytes, its name and its id."""
    message, _ = made(Words("s", "<img src=cid:logo>", "t"), image(), image("other"), image(None, "bill ü.png"))

    related = ["related", "text/html", "image/png", "image/png"]
    assert kinds(message) == ["mixed", ["alternative", "text/plain", related], "image/png"]
    images = [part for part in message.walk() if part.get_content_type() == "image/png"]
    assert [b"\x89PNG"] * 3 == [part.get_payload(decode=True) for part in images]
    assert ["logo.png", "logo.png", "bill ü.png"] == [part.get_filename() for part in images]
    assert ["<logo>", "<other>", None] == [part["Content-ID"] for part in images]
    assert ["inline", "inline", "attachment"] == [part.get_content_disposition() for part in images]


def test_an_attachment_of_html_is_not_the_mails_own() -> None:
    """No image goes into it, and nothing takes it for what the mail says."""
    report = File("report.html", "text/html", None, b"PGI+aGk8L2I+\r\n")
    message, _ = made(Words("s", None, "t"), report, image())
    assert kinds(message) == ["mixed", "text/plain", "text/html", "image/png"]


def test_an_image_without_html_is_attached() -> None:
    """There is nothing to show it in."""
    assert kinds(made(Words("s", None, "t"), image())[0]) == ["mixed", "text/plain", "image/png"]


def test_headers() -> None:
    """Bcc is in none of them, and a long URL stays in one piece: encoded words would break it (RFC 8058)."""
    headers = {"X-PM-Message-Stream": "outbound", "X-Name": "Zoë " * 30}
    message, content = made(
        Words("Grüße " * 20, None, "t"),
        headers=headers,
        unsubscribeUrl=URL,
        replyTo=["a@b.example", "c@b.example"],
        cc="cc@b.example",
        bcc="secret@b.example",
    )

    assert b"secret" not in content
    assert f"List-Unsubscribe: <{URL}>\r\n".encode() in content
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["Subject"].strip() == ("Grüße " * 20).strip()
    assert message["X-Name"].strip() == headers["X-Name"].strip()
    assert message["Message-ID"] == ID
    assert [message[name] for name in ("From", "To", "Cc", "Reply-To", "X-PM-Message-Stream")] == [
        *("Shop <shop@b.example>", "ada@b.example", "cc@b.example", "a@b.example, c@b.example", "outbound")
    ]
    assert message["Date"].datetime.utcoffset().total_seconds() == 0


def test_any_server_takes_it() -> None:
    """ASCII alone, no line that is too long, and CRLF at the end of each."""
    _, content = made(Words("ü" * 400, f"<p>{'ä' * 5000}</p>\r" + "a" * 5000, "\n.\n\u2028ü\n"), image())

    assert content.isascii()
    lines = content.split(b"\r\n")
    assert not any(b"\n" in line or b"\r" in line or len(line) > 998 for line in lines)
    assert lines[-1] == b""


def test_letters_before_the_at_need_smtputf8() -> None:
    """Then the headers have them as they are."""
    payload = EmailPayload.model_validate({"to": "用户@b.example", "subject": "s", "text": "t"})
    content, utf8 = build(payload, SHOP, ID, Words("s", None, "t"), (), {})

    assert utf8
    assert "用户@b.example".encode() in content


def test_what_is_no_text_is_left_out() -> None:
    """Halves of characters, and control characters that a mail may not have."""
    assert clean("a\ud83d\0b\x1bc\td\n\x7f") == "a\ufffdbc\td\n"
    assert text_of(made(Words("s\ud83d", "<p>\udc00\0</p>", "t\ud83d\0"))[0], "plain") == "t\ufffd\n"


TEXT = st.text(max_size=60)
NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=30)


@given(NAMES, NAMES, TEXT, TEXT, st.lists(st.emails(domains=st.just("b.example")), min_size=1, max_size=4))
def test_whatever_the_words_and_names_are_the_message_is_the_same(
    name: str, header: str, subject: str, text: str, to: list[str]
) -> None:
    """Its recipients are those that were given, and its words can be read; nothing becomes another header."""
    people = [{"name": name, "address": address} for address in to]
    words = Words(" ".join(subject.split()), f"<p>{text}</p>", text)
    message, content = made(words, to=people, headers={"X-Note": header})

    assert to == [f"{each.username}@{each.domain}" for each in message["To"].addresses]
    assert sorted(message.keys()) == sorted(
        [*("Message-ID", "X-Note", "From", "To", "Subject", "Date", "MIME-Version", "Content-Type")]
    )
    assert content.isascii()
    assert " ".join(clean(words.subject).replace("=?", "= ?").split()) == " ".join(message["Subject"].split())
    expected = clean(text).replace("\r\n", "\n").replace("\r", "\n")
    assert expected.rstrip("\n") == text_of(message, "plain").rstrip("\n")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("Müller-Lüdenscheidt, Dr. rer. nat. habil. Hans-Jürgen von und zu Straße", id="long"),
        pytest.param("José @ home", id="at"),
        pytest.param("漢\u202e)\U0001f600é<,:;(", id="signs"),
        pytest.param("Ada, B", id="comma"),
    ],
)
def test_names_and_subjects_are_read_as_they_are_written(name: str) -> None:
    """As RFC 2047 says, and each recipient is one."""
    people = [{"name": name, "address": "ada@b.example"}, {"name": name, "address": "bob@b.example"}]
    subject = " ".join([name] * 4)
    _, content = made(Words(subject, None, "t"), to=people)

    plainly = message_from_bytes(content)  # this parser decodes nothing by itself
    ada, bob = plainly["To"].split(",\r\n ")
    for line, address in ((ada, "ada@b.example"), (bob, "bob@b.example")):
        assert str(make_header(decode_header(line))).replace('"', "") == f"{name} <{address}>"
    assert str(make_header(decode_header(plainly["Subject"]))) == subject
    assert all(len(line) <= 78 for line in content.splitlines() if b"=?" in line)  # RFC 2047, section 2


@pytest.mark.parametrize("content_type", [None, "Message/RFC822", "multipart/mixed"])
def test_a_mail_can_be_attached(tmp_path: Path, content_type: str | None) -> None:
    """As a file: what has parts of its own may not be in base64 (RFC 2046, section 5.2.1)."""
    file = tmp_path / "0"
    file.write_bytes(b"Subject: inner\r\n\r\nhello\r\n")
    attached = encoded(Attachment(path="mails/inner.eml", content_type=content_type), file)
    (part,) = made(Words("s", None, "t"), attached)[0].iter_attachments()
    assert (part.get_filename(), part.get_content()) == ("inner.eml", file.read_bytes())


@pytest.mark.parametrize(
    ("name", "first", "kind"),
    [
        ("a.jpg", b"\xff\xd8\xff\xe0", "image/jpeg"),
        ("a.txt", b"%PDF-1.7", "application/pdf"),
        ("a.webp", b"RIFF\0\0\0\0WEBPVP8 ", "image/webp"),
        ("a.png", b"<html>", "application/octet-stream"),
        ("a.csv", b"a;b", "text/csv"),
        ("a", b"", "application/octet-stream"),
    ],
)
def test_the_type_is_told_by_the_bytes(name: str, first: bytes, kind: str) -> None:
    """A name alone makes no image."""
    assert kind == kind_of(name, first)


@pytest.mark.parametrize("size", [0, 1, LINE - 1, LINE, LINE + 1, LINE * 1024 * 2 + 5])
def test_an_attachment_is_base64_in_lines(tmp_path: Path, size: int) -> None:
    """As the standard library has it, and within the memory that is reserved."""
    content = bytes(range(256)) * (size // 256 + 1)
    (tmp_path / "0").write_bytes(content[:size])
    made = encoded(Attachment(path="bills/7.bin"), tmp_path / "0")

    assert base64.encodebytes(content[:size]).replace(b"\n", b"\r\n") == bytes(made.encoded)
    assert (made.name, made.content_type) == ("7.bin", "application/octet-stream")
    assert len(made.encoded) * 3 < max(size, 200) * MEMORY_PER_BYTE
