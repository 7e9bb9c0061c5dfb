"""A module with a team's own jobs, and the folder that it is imported from."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from queue_lib.settings import WorkerSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GOOD = """
from queue_lib.jobs import Job, Model, Queue

class Invoice(Model):
    invoice_id: str

class SendInvoice(Job[Invoice]):
    name, queue = "send-invoice", "invoices"

    async def handle(self, payload, context):
        return {"sent": payload.invoice_id}

QUEUES = (Queue(name="invoices"),)
JOBS = (SendInvoice,)
"""


@pytest.fixture
def own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A working directory of the test's own, from which modules are imported, and an environment without settings."""
    before = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for name in ("JOBS", "QUEUES", "WORKER_TYPE", "DATABASE_URL", "STORAGE_URL", *WorkerSettings.model_fields):
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("REDIS_URL", "redis://localhost:6379")
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]
