"""Show a mail without sending it: `python -m scripts.preview_email '{"to": "ada@example.com", "template": "welcome"}'`.

The argument is the payload of an e-mail job as JSON; `-` reads it from standard input. The command writes the mail as
the worker would send it, with its templates and attachments, to a file `.eml`, and opens that in your mail program. It
needs MAIL_FROM, and EMAIL_TEMPLATES and STORAGE_URL where the mail has such parts; no mail server and no Redis.
scripts/README.md has the exit codes; a payload that can't be sent is 2, and 3 means the object store.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from processors.email.compose import Composer
from processors.email.payload import EmailPayload, Mailbox
from processors.email.settings import EmailSettings
from processors.email.signing import signer_of
from processors.email.words import Writer
from processors.sandbox.client import Sandbox
from processors.sandbox.settings import PlatformSettings, SandboxSettings
from queue_lib.errors import ConfigurationError, JobError, SnoozeError
from queue_lib.observe import log
from queue_lib.processor import faults
from queue_lib.settings import is_configured, load
from scripts import terminal
from scripts.terminal import AWAY, NOT_FIT, USAGE
from storage.errors import StorageUnavailableError
from storage.objects.factory import open_store
from storage.settings import ObjectsSettings

DataArgument = Annotated[str, typer.Argument(help="The payload as JSON; - reads it from standard input.")]
OutputOption = Annotated[
    Path | None, typer.Option(help="The file to write. Default: one in the system's temporary folder.")
]
NoOpenOption = Annotated[bool, typer.Option("--no-open", help="Write the file, and do not open it.")]

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command(help=__doc__)
def main(data: DataArgument, output: OutputOption = None, *, no_open: NoOpenOption = False) -> None:
    """Write the mail, and open it."""
    log.configure("warning", "auto", sys.stderr)
    payload = _payload(sys.stdin.read() if data == "-" else data)
    try:
        content = asyncio.run(_content(payload))
    except (ConfigurationError, StorageUnavailableError) as error:
        terminal.end(str(error), NOT_FIT)
    except JobError as error:
        terminal.end(str(error), AWAY if isinstance(error, SnoozeError) else USAGE)
    file = output or Path(tempfile.mkdtemp(prefix="mail-")) / "mail.eml"
    file.write_bytes(content)
    print(file)
    if not no_open:
        typer.launch(str(file))


def _payload(text: str) -> EmailPayload:
    try:
        return EmailPayload.model_validate(json.loads(text))
    except ValidationError as error:
        terminal.end(faults(error), USAGE)
    except ValueError:
        terminal.end("the payload is not JSON", USAGE)


async def _content(payload: EmailPayload) -> bytes:
    settings, memory, platform = load(EmailSettings, SandboxSettings, PlatformSettings)
    [where] = load(ObjectsSettings) if is_configured([ObjectsSettings]) else [None]
    sandbox = Sandbox(platform.child_env(), memory.memory())
    store = open_store(where) if where else None
    compose = Composer(
        sender=settings.mail_from,
        writer=Writer(sandbox, settings.email_templates),
        objects=store,
        most=settings.max_attachments(),
        signer=signer_of(settings),
    )
    domain = Mailbox.model_validate(settings.mail_from).address.rpartition("@")[2]
    try:
        async with compose(payload, f"<preview@{domain}>") as mail:
            return mail.content
    finally:
        await sandbox.close()
        if store is not None:
            await store.close()


if __name__ == "__main__":
    app()
