"""The script that shows a mail without sending it."""

from __future__ import annotations

import json
from email import message_from_bytes
from email.policy import default
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from typer.testing import CliRunner

from scripts.preview_email import app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DATA = {"to": "ada@b.example", "template": "welcome", "variables": {"name": "Ada"}}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a template and a file, and the settings of both."""
    for name, content in {"welcome.html": "Hi {{ name }}", "welcome.subject.txt": "Hello", "bill.pdf": "%PDF-"}.items():
        (tmp_path / name).write_text(content)
    monkeypatch.setenv("MAIL_FROM", "Shop <shop@b.example>")
    monkeypatch.setenv("EMAIL_TEMPLATES", str(tmp_path))
    monkeypatch.setenv("STORAGE_URL", f"file://{tmp_path}")
    before = structlog.get_config()
    yield tmp_path
    structlog.configure(**before)  # the command logs to the standard error of its run


def preview(world: Path, data: dict[str, Any]) -> Any:
    """The command's result."""
    return CliRunner().invoke(app, [json.dumps(data), "--no-open", "--output", str(world / "mail.eml")])


def test_the_file_is_the_mail(world: Path) -> None:
    """With its template and its attachments."""
    result = preview(world, DATA | {"attachments": [{"path": "bill.pdf"}]})

    assert (result.exit_code, result.stdout) == (0, f"{world / 'mail.eml'}\n")
    message = message_from_bytes((world / "mail.eml").read_bytes(), policy=default)
    assert (message["Subject"], message["To"]) == ("Hello", "ada@b.example")
    assert ["bill.pdf"] == [part.get_filename() for part in message.iter_attachments()]


def test_a_fault_is_one_line(world: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the status says whose fault it is."""
    missing = preview(world, DATA | {"variables": {}})
    refused = preview(world, {"to": "ada", "subject": "s", "text": "t"})
    monkeypatch.delenv("MAIL_FROM")
    unset = preview(world, DATA)

    assert (missing.exit_code, missing.stderr) == (2, "welcome.html: 'name' is undefined\n")
    assert (refused.exit_code, refused.stderr[:5]) == (2, "to.0:")
    assert (unset.exit_code, unset.stderr) == (1, "MAIL_FROM: not set, and required\n")
    assert not (world / "mail.eml").exists()
