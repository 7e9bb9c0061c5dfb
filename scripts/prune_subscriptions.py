"""Delete subscriptions that can never receive anything: `python -m scripts.prune_subscriptions --dry-run`.

They are past their `expirationTime`, their keys are none, or their endpoint is at no push service that may be called,
as `PUSH_ALLOWED_HOSTS` has them: run it in the worker's own environment. The worker prunes them, too, but one by one as
it meets them; no push service is asked. scripts/README.md has the exit codes; 3 is the database.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.status import Status

from processors.push.dead_rows import Reason, reason
from processors.push.endpoints import log_fields
from processors.push.settings import PushSettings
from queue_lib.errors import ConfigurationError
from queue_lib.settings import load
from scripts import terminal
from scripts.terminal import AWAY, NOT_FIT, SHOWN, DryRunOption, JsonOption, YesOption, out
from storage.database import Database
from storage.errors import StorageAwayError, StorageUnavailableError
from storage.settings import StorageSettings
from storage.subscriptions import SqlSubscriptions
from storage.tables import AppTable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from processors.push.endpoints import AllowedHosts
    from storage.ports import Subscription, Subscriptions

PAGE = 1000  # rows
MOST_HOSTS = 1000  # told apart: anybody may have written them

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@dataclass
class Count:
    """How many rows were looked at, and how many are dead: by reason and host."""

    looked: int = 0
    dead: dict[Reason, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, why: Reason, row: Subscription) -> None:
        """Count a dead row. Of an endpoint no more than its host is kept."""
        hosts, host = self.dead[why], log_fields(row.endpoint)["host"]
        hosts[host if host in hosts or len(hosts) < MOST_HOSTS else "other"] += 1

    def total(self) -> int:
        """How many are dead."""
        return sum(hosts.total() for hosts in self.dead.values())


@app.command(help=__doc__)
def main(*, dry_run: DryRunOption = False, yes: YesOption = False, as_json: JsonOption = False) -> None:
    """Count, ask, delete."""
    try:
        push, storage = load(PushSettings, StorageSettings)
        asyncio.run(_work(storage, push.allowed_hosts(), dry_run=dry_run, yes=yes, as_json=as_json))
    except (ConfigurationError, StorageUnavailableError) as error:
        terminal.end(str(error), NOT_FIT)
    except StorageAwayError as error:
        terminal.end(str(error), AWAY)


async def _work(settings: StorageSettings, allowed: AllowedHosts, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    database = await Database.open(settings, {AppTable.PUSH_SUBSCRIPTION})
    try:
        rows, count = SqlSubscriptions(database), Count()
        with Status("looking", console=Console(stderr=True)):
            async for page in _dead(rows, allowed, count):
                del page
        if not as_json:
            out.print(_table(count))
        deleted = 0
        if count.total() and not dry_run:
            terminal.confirm(f"Delete {count.total()} of {count.looked} subscriptions for good?", yes=yes)
            deleted = sum([await rows.prune(page) async for page in _dead(rows, allowed, Count())])
    finally:
        await database.close()
    _tell(count, deleted, as_json=as_json)


async def _dead(rows: Subscriptions, allowed: AllowedHosts, count: Count) -> AsyncIterator[list[Subscription]]:
    """The dead ones of each page of all rows, counted."""
    after: str | None = None
    while page := await rows.page(after, PAGE):
        found = [(why, row) for row in page if (why := reason(row, allowed, time.time())) is not None]
        count.looked += len(page)
        for why, row in found:
            count.add(why, row)
        yield [row for _, row in found]
        after = page[-1].id


def _table(count: Count) -> Any:
    cells = [(why.value, *each) for why, hosts in count.dead.items() for each in hosts.most_common(SHOWN)]
    return terminal.table(["reason", "host", "subscriptions"], cells)


def _tell(count: Count, deleted: int, *, as_json: bool) -> None:
    if as_json:
        dead = {why.name.lower(): dict(hosts) for why, hosts in count.dead.items()}
        terminal.print_json({"looked": count.looked, "dead": dead, "deleted": deleted})
    else:
        out.print(f"subscriptions: {count.looked}, dead: {count.total()}, deleted: {deleted}")


if __name__ == "__main__":
    app()
