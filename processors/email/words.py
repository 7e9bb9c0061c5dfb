"""What a mail says: the app's own words, or those of a template, and text beside the html."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from processors.email.message import Words
from processors.email.payload import MAX_LINE
from processors.sandbox.client import Task
from processors.sandbox.limits import MEBIBYTE, Limits
from queue_lib.errors import PermanentError, TransientError

if TYPE_CHECKING:
    from pathlib import Path

    from processors.email.payload import EmailPayload
    from processors.sandbox.client import Sandbox

TASK = "mail"
LIMITS = Limits(cpu=5, wall=60.0, file=16 * MEBIBYTE)
RESULT = "mail.json"  # as render.py writes it


@dataclass(frozen=True, slots=True)
class Writer:
    """Finds the words of mails. `templates` is the folder of the templates, if there is one."""

    sandbox: Sandbox
    templates: Path | None
    limits: Limits = LIMITS

    def needs_folder(self, payload: EmailPayload) -> bool:
        """Whether something is to be made in a child."""
        return payload.template is not None or (payload.text is None and payload.markup is not None)

    async def words(self, payload: EmailPayload, folder: Path | None) -> Words:
        """The words. What a template needs to be filled happens in `folder`. Raises as `Sandbox.run` does."""
        made: dict[str, str] = {}
        if folder is not None and self.needs_folder(payload):
            arguments = {"html": payload.markup} if payload.template is None else self._template(payload)
            made = await self._make(arguments, folder)
        subject = payload.subject if payload.subject is not None else made.get("subject")
        if subject is None:
            msg = f"subject: give one, or add the template {payload.template}.subject.txt"
            raise PermanentError(msg)
        text = payload.text if payload.text is not None else made.get("text")
        subject = " ".join(subject.split())
        if len(subject) > MAX_LINE:  # a variable may have any length
            msg = f"subject: the template {payload.template}.subject.txt makes one of more than {MAX_LINE} characters"
            raise PermanentError(msg)
        return Words(subject, payload.markup or made.get("html"), text)

    def _template(self, payload: EmailPayload) -> dict[str, Any]:
        if self.templates is None:
            msg = "template: EMAIL_TEMPLATES is not set"
            raise PermanentError(msg)
        bases = [f"{payload.template}{locale}" for locale in locales(payload.locale)]
        ends = {"html": ".html", "text": ".txt", "subject": ".subject.txt"}
        names = {part: [f"{base}{end}" for base in bases] for part, end in ends.items()}
        return {"folder": str(self.templates), "names": names, "variables": payload.variables}

    async def _make(self, arguments: dict[str, Any], folder: Path) -> dict[str, str]:
        await self.sandbox.run(Task(TASK, folder, arguments, self.limits))
        try:
            made = json.loads(await asyncio.to_thread(_read, folder / RESULT))
        except (OSError, ValueError) as error:
            msg = f"the task's report can't be read ({type(error).__name__})"
            raise TransientError(msg) from error
        return {part: str(made[part]) for part in ("subject", "html", "text") if part in made}


def locales(locale: str | None) -> list[str]:
    """The endings of a template's name, the best first: `de-AT` -> `.de-AT`, `.de` and none."""
    parts = (locale or "").replace("_", "-").split("-")
    return [f".{'-'.join(parts[:count])}" for count in range(len(parts), 0, -1) if parts[0]] + [""]


def _read(file: Path) -> str:
    if file.is_symlink():
        msg = "a link"
        raise ValueError(msg)
    return file.read_text()
