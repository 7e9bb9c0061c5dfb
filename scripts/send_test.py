"""Send a test push to a user, and tell device by device what its push service says.

`python -m scripts.send_test user-1` sends at once, without the queue, to each subscription that is on, and waits for
the answers. Nothing is tried again, and no row is deleted. Devices are told apart by the last six characters of their
rows' ids. Run it in the worker's own environment. scripts/README.md has the exit codes; 3 means the database, 4 that
not all devices were reached.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from processors.outbound import HttpClient
from processors.push.delivery import Kind
from processors.push.hints import HINTS
from processors.push.message import message_of
from processors.push.opening import allowed_hosts, payload_style, signers
from processors.push.payload import PushPayload
from processors.push.send import PushSender
from processors.push.services import REFUSED, service_of
from processors.push.settings import PushSettings, SubscriptionSettings
from queue_lib.errors import ConfigurationError, PermanentError
from queue_lib.observe import log
from queue_lib.settings import load
from scripts import terminal
from scripts.terminal import AWAY, IN_PART, NOT_FIT, USAGE, JsonOption, out
from storage.columns import subscription_table
from storage.database import Database
from storage.errors import SchemaError, StatementRefusedError, StorageAwayError, StorageUnavailableError
from storage.settings import DatabaseSettings
from storage.subscriptions import SqlSubscriptions
from storage.tables import AppTable

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from processors.push.delivery import Delivery, Message

OPTIONS = {"ttl": 60, "urgency": "high"}
TOLD = 6  # characters of a row's id

UserArgument = Annotated[str, typer.Argument(metavar="USER", help="The user's id, as in the rows' userId.")]
TitleOption = Annotated[str, typer.Option(help="The notification's title.")]
BodyOption = Annotated[str, typer.Option(help="Its body.")]
UrlOption = Annotated[str, typer.Option(help="The page that a click opens.")]

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command(help=__doc__)
def main(
    user: UserArgument,
    *,
    title: TitleOption = "Test",
    body: BodyOption = "If you can read this, push works.",
    url: UrlOption = "/",
    as_json: JsonOption = False,
) -> None:
    """Send, and tell."""
    try:
        push, rows, database = load(PushSettings, SubscriptionSettings, DatabaseSettings)
        log.configure("error", "auto", sys.stderr)
        shown = {"title": title, "body": body, "url": url}
        payload = PushPayload.model_validate({"userId": user, "payload": shown, "options": OPTIONS})
        ends = asyncio.run(_work(push, _opening(rows, database), user, message_of(payload, payload_style(push))))
    except (ConfigurationError, StorageUnavailableError, SchemaError) as error:
        terminal.end(str(error), NOT_FIT)
    except (ValueError, PermanentError) as error:
        terminal.end(str(error), USAGE)
    except (StorageAwayError, StatementRefusedError) as error:
        terminal.end(str(error), AWAY)
    if not ends:
        terminal.end("this user has no subscription that is on", USAGE)
    _tell(ends, as_json=as_json)


def _opening(rows: SubscriptionSettings, database: DatabaseSettings) -> Awaitable[Database]:
    table = subscription_table(rows.push_subscription_table, rows.push_subscription_columns)
    return Database.open(database.database_url, {AppTable.PUSH_SUBSCRIPTION: table})


async def _work(
    push: PushSettings, opening: Awaitable[Database], user: str, message: Message
) -> list[tuple[str, str, Delivery]]:
    """For each device the end of its row's id, its push service, and how the message ended."""
    opened = await opening
    http = HttpClient()
    try:
        rows = await SqlSubscriptions(opened).of_user(user)
        sender = PushSender(signers(push), allowed_hosts(push), http)
        deliveries = await asyncio.gather(*(sender.send(row, message) for row in rows))
    finally:
        await http.close()
        await opened.close()
    services = [service_of(sender.origin(row) or REFUSED) for row in rows]
    return [(row.id[-TOLD:], *end) for row, end in zip(rows, zip(services, deliveries, strict=True), strict=True)]


def _tell(ends: list[tuple[str, str, Delivery]], *, as_json: bool) -> None:
    if as_json:
        devices = [
            {"device": device, "service": service, "verdict": end.kind, "reason": end.reason, "hint": HINTS[end.kind]}
            for device, service, end in ends
        ]
        terminal.print_json(devices)
    else:
        for device, service, end in ends:
            reason = f" ({terminal.printable(end.reason)})" if end.reason else ""
            line = f"{terminal.printable(device)}  {service}: {end.kind}{reason}; {HINTS[end.kind]}"
            out.print(line, markup=False)
    if any(end.kind is not Kind.SENT for _, _, end in ends):
        raise typer.Exit(IN_PART)


if __name__ == "__main__":
    app()
