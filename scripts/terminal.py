"""What the operators' scripts share: settings, exits, filters, and text that is safe to print.

Exit codes: 0 done; 1 the environment is wrong; 2 the command line is wrong; 3 Redis can't be reached or refuses (run
the command again for the rest); 4 done in part.
"""

from __future__ import annotations

import asyncio
import getpass
import json
import re
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from processors.features import with_own_jobs
from queue_lib import serving, wiring
from queue_lib.errors import BrokerUnavailableError, ConfigurationError, PermanentError
from queue_lib.job import Wire
from queue_lib.jobs.own_module import own_jobs
from queue_lib.observe import log
from queue_lib.settings import QueueChoice, Reading, WorkerSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence

    from queue_lib.admin.admin import Admin
    from queue_lib.feature import Feature

T = TypeVar("T")

NOT_FIT, USAGE, AWAY, IN_PART = 1, 2, 3, 4
UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
SHOWN = 50  # rows of a table about jobs
LONGEST_REASON = 120  # characters
PLAIN_WIDTH = 200  # columns, where the output is no terminal

out = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH, highlight=False)


def age(text: str) -> float:
    """Seconds of `90s`, `15m`, `2h` or `7d`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text.strip())
    if found is None:
        msg = f"{text!r} is not a time: write it like 90s, 15m, 2h or 7d"
        raise typer.BadParameter(msg)
    return float(found[1]) * UNITS[found[2]]


QueueOption = Annotated[str | None, typer.Option(help="Only jobs of this queue.")]
WireOption = Annotated[Wire | None, typer.Option(help="Only jobs of this wire.")]
NameOption = Annotated[str | None, typer.Option(help="Only jobs of this name.")]
TextOption = Annotated[
    str | None, typer.Option(help="Only jobs with these words in their reason; case does not matter.")
]
NewerOption = Annotated[
    Any, typer.Option(parser=age, metavar="AGE", help="Only jobs that failed within this time: 90s, 15m, 2h, 7d.")
]
OlderOption = Annotated[
    Any, typer.Option(parser=age, metavar="AGE", help="Only jobs that failed longer ago than this.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and change nothing.")]


def run(work: Callable[[Admin], Awaitable[T]]) -> T:
    """Do the work as an operator. Ends the process if the environment is wrong, Redis is away, or it is refused."""
    reading = Reading()
    features = with_own_jobs(own_jobs(reading))
    try:
        settings, choice = reading.load(WorkerSettings, QueueChoice)
        log.configure("info", settings.log_format, sys.stderr)
        return asyncio.run(_work(settings, choice, features, work))
    except ConfigurationError as error:
        end(str(error), NOT_FIT)
    except PermanentError as error:
        end(str(error), USAGE)
    except BrokerUnavailableError as error:
        end(str(error), AWAY)


async def _work(
    settings: WorkerSettings, choice: QueueChoice, features: Sequence[Feature], work: Callable[[Admin], Awaitable[T]]
) -> T:
    async with wiring.admin(settings, features, by=_who(), choice=choice) as admin:
        return await work(admin)


def served_queues() -> list[str]:
    """The queues that a worker with this environment serves. Ends the process if the environment is wrong."""
    reading = Reading()
    features = with_own_jobs(own_jobs(reading))
    try:
        [choice] = reading.load(QueueChoice)
        return [queue.name for queue in serving.served_queues(choice, features)]
    except ConfigurationError as error:
        end(str(error), NOT_FIT)


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        return "unknown"


async def first(most: int | None, found: AsyncIterator[T]) -> AsyncIterator[T]:
    """The first of them; None is all."""
    left = sys.maxsize if most is None else most
    async for each in found:
        if left == 0:
            break
        yield each
        left -= 1


def end(reason: str, status: int) -> NoReturn:
    """Print the reason to standard error and end the process."""
    print(reason, file=sys.stderr)
    raise typer.Exit(status)


def confirm(question: str, *, yes: bool) -> None:
    """Ask. Ends the process if the answer is no, or standard input is not a terminal."""
    if yes:
        return
    if not sys.stdin.isatty():
        end("can't ask for confirmation without a terminal: add --yes, or --dry-run to look first", USAGE)
    if not typer.confirm(question):
        end("nothing was done", 0)


def print_json(value: Any) -> None:
    """One line of JSON, in ASCII."""
    print(json.dumps(value))


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A table of plain text. Cells come from jobs, which any user may have written, so they get no markup."""
    made = Table(*head, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        made.add_row(*(Text(printable(cell)) for cell in row))
    return made


def printable(value: object) -> str:
    """The text without control characters."""
    return "".join(sign if sign.isprintable() else "\ufffd" for sign in str(value))


def ago(moment: float | None) -> str:
    """The age of a moment (seconds since the epoch); empty for None."""
    return "" if moment is None else span(time.time() - moment)


def span(seconds: float) -> str:
    """Seconds in a readable form: `42s`, `7m`, `3h`, `12d`."""
    for unit in ("d", "h", "m"):
        if seconds >= 2 * UNITS[unit]:
            return f"{seconds / UNITS[unit]:.0f}{unit}"
    return f"{max(0.0, seconds):.0f}s"
