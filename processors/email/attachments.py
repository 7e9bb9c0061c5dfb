"""Attachments: objects of the store, fetched into a folder, and encoded without many copies of them."""

from __future__ import annotations

import binascii
import mimetypes
from typing import TYPE_CHECKING

from processors import objects
from processors.email.message import File
from processors.sandbox.limits import MEBIBYTE
from queue_lib.errors import PermanentError

if TYPE_CHECKING:
    from pathlib import Path

    from processors.email.payload import Attachment, EmailPayload
    from storage.objects.base import ObjectStore

LINE = 57  # bytes: 76 characters in base64 (RFC 2045, section 6.8)
CHUNK = LINE * 1024
# Bytes of memory for each byte that is attached: in base64, in the message, and as it is sent.
MEMORY_PER_BYTE = 5
# What mail programs show by themselves, by its first bytes.
SIGNATURES = {
    b"%PDF-": "application/pdf",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
UNKNOWN = "application/octet-stream"
COMPOSITE = ("message/", "multipart/")  # these may not be in base64: mailboxes would show nothing (RFC 2046, 5.2.1)


async def fetch(store: ObjectStore, payload: EmailPayload, folder: Path, most: int) -> list[Path]:
    """The attachments as files in the folder, in their order.

    Raises PermanentError if an object is missing or if they have more than `most` bytes together; SnoozeError while the
    store is away.
    """
    files, left = [], most
    for number, attachment in enumerate(payload.attachments):
        file = folder / str(number)
        try:
            left -= await objects.fetch(store, attachment.path, file, left, f"attachments.{number}.path")
        except objects.TooLargeError as error:
            msg = f"its attachments have more than {most // MEBIBYTE} MiB (EMAIL_MAX_ATTACHMENTS); send a link"
            raise PermanentError(msg) from error
        files.append(file)
    return files


def encoded(attachment: Attachment, file: Path) -> File:
    """The attachment as it goes into the message."""
    out = bytearray()
    first = b""
    with file.open("rb") as source:
        while chunk := source.read(CHUNK):
            first = first or chunk[:16]
            for start in range(0, len(chunk), LINE):
                out += binascii.b2a_base64(chunk[start : start + LINE], newline=False)
                out += b"\r\n"
    name = attachment.filename or attachment.path.rpartition("/")[2]
    kind = attachment.content_type or kind_of(name, first)
    if kind.lower().startswith(COMPOSITE):
        kind = UNKNOWN
    return File(name, kind, attachment.cid, out)


def kind_of(name: str, first: bytes) -> str:
    """The type that the first bytes show, else that of the name; a name alone makes no image and no PDF."""
    if first.startswith(b"RIFF") and first[8:12] == b"WEBP":
        return "image/webp"
    for signature, kind in SIGNATURES.items():
        if first.startswith(signature):
            return kind
    guessed = mimetypes.guess_type(name)[0] or UNKNOWN
    return UNKNOWN if guessed in {*SIGNATURES.values(), "image/webp"} else guessed
