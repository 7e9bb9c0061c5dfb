"""List the subscriptions that the worker can't send to, by cause and host, and delete those that you name.

`python -m scripts.prune_subscriptions` only lists; `... unreadableKeys` deletes the rows of that cause after you have
confirmed it. Causes: `expired` (past its expirationTime), `removed` (ended by its browser), `refusedEndpoint` (its host
is no known push service and not in PUSH_ALLOWED_HOSTS), `unreadableKeys`. The command asks no push service: for a row
that a service refuses, such as one of another VAPID key, give the `endpoint_hash` of the log. Run it in the worker's
own environment. If PUSH_SUBSCRIPTION_COLUMNS names a switch, rows are switched off instead of deleted, and rows that
are off are not listed. scripts/README.md has the exit codes; 3 means the database.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.status import Status

from processors.push.endpoints import log_fields
from processors.push.opening import allowed_hosts
from processors.push.settings import PushSettings, SubscriptionSettings
from processors.push.undeliverable import Cause, cause_of
from queue_lib.errors import ConfigurationError
from queue_lib.settings import load
from scripts import terminal
from scripts.terminal import AWAY, NOT_FIT, SHOWN, USAGE, DryRunOption, JsonOption, YesOption, out
from storage.columns import subscription_table
from storage.database import Database
from storage.errors import SchemaError, StatementRefusedError, StorageAwayError, StorageUnavailableError
from storage.settings import DatabaseSettings
from storage.subscriptions import SqlSubscriptions
from storage.tables import AppTable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

    from processors.push.endpoints import AllowedHosts
    from storage.ports import Subscription, Subscriptions

PAGE = 1000  # rows
MOST_HOSTS = 1000  # counted by name: any user may have written them
NAMED = "named"  # the cause of a row that was named by its hash

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

CausesArgument = Annotated[
    list[Cause] | None, typer.Argument(help="Delete rows with these causes.", metavar="CAUSE...")
]
HostOption = Annotated[list[str] | None, typer.Option(help="Only rows at this host.")]
HashOption = Annotated[
    list[str] | None, typer.Option(help="Delete the row with this `endpoint_hash` from the log, whatever its cause.")
]


@dataclass(frozen=True)
class Named:
    """The rows that the operator named. No hosts: rows at all hosts."""

    causes: frozenset[str]
    hosts: frozenset[str]
    hashes: frozenset[str]

    def means(self, why: str, host: str) -> bool:
        """Whether a row with this cause at this host is named."""
        return why == NAMED or (why in self.causes and (not self.hosts or host in self.hosts))


@dataclass
class Count:
    """Numbers of rows: read, unusable (by cause and host), and named."""

    looked: int = 0
    meant: int = 0
    found: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, why: str, host: str) -> None:
        """Count a row that is unusable or named."""
        hosts = self.found[why]
        hosts[host if host in hosts or len(hosts) < MOST_HOSTS else "other"] += 1


@app.command(help=__doc__)
def main(
    causes: CausesArgument = None,
    *,
    host: HostOption = None,
    endpoint_hash: HashOption = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """List, ask, delete."""
    named = Named(frozenset(causes or ()), frozenset(host or ()), frozenset(endpoint_hash or ()))
    if named.hosts and not named.causes:
        terminal.end("--host goes with a cause: name one", USAGE)
    try:
        push, rows, database = load(PushSettings, SubscriptionSettings, DatabaseSettings)
        table = subscription_table(rows.push_subscription_table, rows.push_subscription_columns)
        opening = Database.open(database.database_url, {AppTable.PUSH_SUBSCRIPTION: table})
        asyncio.run(_work(opening, _Look(allowed_hosts(push), named), dry_run=dry_run, yes=yes, as_json=as_json))
    except (ConfigurationError, StorageUnavailableError, SchemaError) as error:
        terminal.end(str(error), NOT_FIT)
    except (StorageAwayError, StatementRefusedError) as error:
        terminal.end(str(error), AWAY)


@dataclass(frozen=True)
class _Look:
    """Reads all rows."""

    allowed: AllowedHosts
    named: Named

    async def through(self, rows: Subscriptions, count: Count) -> AsyncIterator[list[Subscription]]:
        """The named rows of each page. All rows are counted."""
        after: str | None = None
        while page := await rows.page(after, PAGE):
            now = time.time()
            meant = [row for row in page if self._means(row, now, count)]
            count.looked += len(page)
            count.meant += len(meant)
            yield meant
            after = page[-1].id

    def _means(self, row: Subscription, now: float, count: Count) -> bool:
        told = log_fields(row.endpoint)  # nothing else of an endpoint is kept
        why = NAMED if told["endpoint_hash"] in self.named.hashes else cause_of(row, self.allowed, now)
        if why is None:
            return False
        count.add(why, told["host"])
        return self.named.means(why, told["host"])


async def _work(opening: Awaitable[Database], look: _Look, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    database = await opening
    try:
        rows, count = SqlSubscriptions(database), Count()
        with Status("looking", console=Console(stderr=True)):
            async for page in look.through(rows, count):
                del page
        if not as_json:
            out.print(_table(count))
        deleted = 0
        if count.meant and not dry_run:
            action = "Switch off" if rows.switches_off else "Delete for good"
            terminal.confirm(f"{action} {count.meant} of {count.looked} subscriptions?", yes=yes)
            deleted = sum([await rows.prune(page) async for page in look.through(rows, Count())])
    finally:
        await database.close()
    _tell(count, deleted, as_json=as_json)


def _table(count: Count) -> Any:
    cells = [(str(why), *each) for why, hosts in count.found.items() for each in hosts.most_common(SHOWN)]
    return terminal.table(["cause", "host", "subscriptions"], cells)


def _tell(count: Count, deleted: int, *, as_json: bool) -> None:
    found = sum(hosts.total() for hosts in count.found.values())
    if as_json:
        causes = {str(why): dict(hosts) for why, hosts in count.found.items()}
        terminal.print_json({"looked": count.looked, "found": causes, "meant": count.meant, "deleted": deleted})
        return
    out.print(f"subscriptions: {count.looked}, can't be sent to: {found}, named: {count.meant}, deleted: {deleted}")
    if found and not count.meant:
        out.print("Nothing was deleted: name the causes whose rows you want to delete.")


if __name__ == "__main__":
    app()
