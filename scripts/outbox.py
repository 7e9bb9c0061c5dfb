"""Show the app's outbox, and replay or skip rows that could not be published.

`python -m scripts.outbox` shows how far it is and which rows are bad. `... replay 17 18` has these rows published
again, and all bad ones without ids; `... skip 17` marks a row as published without publishing it. Run it in the
worker's own environment: it needs DATABASE_URL and OUTBOX_TABLE, and no Redis. scripts/README.md has the exit codes; 3
means the database.
"""

from __future__ import annotations

import asyncio
import time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from processors.outbox.settings import OutboxSettings
from queue_lib.errors import ConfigurationError
from queue_lib.settings import load
from scripts import terminal
from scripts.terminal import AWAY, NOT_FIT, USAGE, JsonOption, YesOption, out
from storage.database import Database
from storage.errors import SchemaError, StatementRefusedError, StorageAwayError, StorageUnavailableError
from storage.models import Outbox
from storage.outbox import SqlOutbox
from storage.settings import DatabaseSettings
from storage.tables import AppTable, Wanted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from storage.ports import Backlog, OutboxRow


class What(StrEnum):
    """What is to be done."""

    STATUS = "status"
    REPLAY = "replay"
    SKIP = "skip"


WhatArgument = Annotated[What, typer.Argument(help="status, replay or skip.")]
IdsArgument = Annotated[
    list[int] | None, typer.Argument(help="The ids of rows.", metavar="ID...", min=1, max=2**63 - 1)
]

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command(help=__doc__)
def main(
    what: WhatArgument = What.STATUS,
    ids: IdsArgument = None,
    *,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Do it."""
    if what is What.SKIP and not ids:
        terminal.end("skip needs the ids of rows", USAGE)
    try:
        settings, database = load(OutboxSettings, DatabaseSettings)
        wanted = {AppTable.OUTBOX: Wanted.usual(Outbox, settings.outbox_table)}
        asyncio.run(_work(database.database_url, wanted, what, ids or (), yes=yes, as_json=as_json))
    except (ConfigurationError, StorageUnavailableError, SchemaError) as error:
        terminal.end(str(error), NOT_FIT)
    except (StorageAwayError, StatementRefusedError) as error:
        terminal.end(str(error), AWAY)


async def _work(url: str, wanted: Any, what: What, ids: Sequence[int], *, yes: bool, as_json: bool) -> None:
    database = await Database.open(url, wanted)
    try:
        outbox = SqlOutbox(database)
        if what is What.STATUS:
            _show(await outbox.backlog(), as_json=as_json)
            return
        if not ids:
            bad = (await outbox.backlog()).bad
            terminal.confirm(f"Publish {bad} bad rows again?", yes=yes)
        changed = await (outbox.replay(ids) if what is What.REPLAY else outbox.skip(ids))
    finally:
        await database.close()
    if as_json:
        terminal.print_json({"rows": changed})
    else:
        out.print(f"rows: {changed}")


def _show(backlog: Backlog, *, as_json: bool) -> None:
    age = 0.0 if backlog.oldest is None else max(0.0, time.time() - backlog.oldest)
    if as_json:
        bad = [{"id": row.id, "topic": row.topic, "error": row.error} for row in backlog.bad_rows]
        terminal.print_json({"unpublished": backlog.unpublished, "oldest": age, "bad": backlog.bad, "badRows": bad})
        return
    out.print(f"unpublished: {backlog.unpublished}, the oldest for {terminal.span(age)}, bad: {backlog.bad}")
    if backlog.bad_rows:
        out.print(terminal.table(["id", "topic", "of", "written", "error"], map(_line, backlog.bad_rows)))


def _line(row: OutboxRow) -> Sequence[object]:
    return (row.id, row.topic, f"{row.aggregate_type} {row.aggregate_id}", terminal.ago(row.created_at), row.error)


if __name__ == "__main__":
    app()
