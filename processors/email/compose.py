"""From a payload to a mail: find its words, fetch its attachments, build the message, sign it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from processors.email import attachments
from processors.email.mail import Mail
from processors.email.message import build
from processors.email.payload import Mailbox
from processors.email.settings import EmailSettings
from processors.email.signing import signer_of
from processors.email.smtp.settings import SmtpSettings
from processors.email.words import TASK, Writer
from processors.job_folder import job_folder
from queue_lib.errors import PermanentError
from storage.settings import ObjectsSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from processors.email.message import File, Words
    from processors.email.payload import EmailPayload
    from processors.email.signing import Signer
    from processors.tools import Tools
    from queue_lib.feature import Served
    from storage.objects.base import ObjectStore

RESEND_KEY = "Resend-Idempotency-Key"  # holds for 24 hours, over SMTP as well (resend.com/docs)


@dataclass(frozen=True, slots=True)
class Composer:
    """Makes mails. `sender` is MAIL_FROM; `most` bytes may be attached. Without `objects` there is no store."""

    sender: str
    writer: Writer
    objects: ObjectStore | None
    most: int
    signer: Signer | None = None
    is_resend: bool = False

    @asynccontextmanager
    async def __call__(self, payload: EmailPayload, message_id: str, /) -> AsyncIterator[Mail]:
        """The mail, for as long as its memory is reserved.

        Raises PermanentError if it can't be made of this payload, SnoozeError while the store is away, or memory or
        room are short, and TransientError if a child was killed.
        """
        async with AsyncExitStack() as memory:
            async with self._folder(payload) as folder:
                words = await self.writer.words(payload, folder)
                files = await self._files(payload, folder, memory) if folder and payload.attachments else []
            mail = await asyncio.to_thread(self._mail, payload, message_id, words, files)
            files.clear()
            yield mail

    @asynccontextmanager
    async def _folder(self, payload: EmailPayload) -> AsyncIterator[Path | None]:
        """A folder for what is fetched and made, if there is anything."""
        if not payload.attachments and not self.writer.needs_folder(payload):
            yield None
            return
        async with job_folder(self.writer.sandbox) as folder:
            yield folder

    async def _files(self, payload: EmailPayload, folder: Path, memory: AsyncExitStack) -> list[File]:
        if self.objects is None:
            msg = "attachments: STORAGE_URL is not set"
            raise PermanentError(msg)
        fetched = await attachments.fetch(self.objects, payload, folder, self.most)
        need = sum(file.stat().st_size for file in fetched) * attachments.MEMORY_PER_BYTE
        await memory.enter_async_context(self.writer.sandbox.reserved(need))
        return [
            await asyncio.to_thread(attachments.encoded, attachment, file)
            for attachment, file in zip(payload.attachments, fetched, strict=True)
        ]

    def _mail(self, payload: EmailPayload, message_id: str, words: Words, files: list[File]) -> Mail:
        sender = payload.sender or Mailbox.model_validate(self.sender)
        extra = {RESEND_KEY: payload.idempotency_key or message_id} if self.is_resend else {}
        content, utf8 = build(payload, sender, message_id, words, files, extra)
        if self.signer is not None:
            content = self.signer.signed(content)
        return Mail(message_id, sender.address, payload.recipients, content, utf8)


def composer_of(served: Served, tools: Tools) -> Composer:
    """The composer, as the environment wants it. Raises ConfigurationError if it can't sign with the given key."""
    settings = served.of(EmailSettings)
    return Composer(
        sender=settings.mail_from,
        writer=Writer(tools.sandbox.open(TASK), settings.email_templates),
        objects=tools.storage.objects() if served.find(ObjectsSettings) else None,
        most=settings.max_attachments(),
        signer=signer_of(settings),
        is_resend=served.of(SmtpSettings).server.host.endswith("resend.com"),
    )
