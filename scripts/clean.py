"""Delete jobs that ended some time ago: `python -m scripts.clean completed --older 1d`.

The worker does this by itself when a queue's retention is over; use this command to do it sooner. Dead letters stay.
scripts/README.md has the exit codes.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from queue_lib.job import State
from scripts import terminal
from scripts.terminal import DryRunOption, JsonOption, QueueOption, YesOption, out

if TYPE_CHECKING:
    from queue_lib.admin.admin import Admin


class Ended(enum.StrEnum):
    """The states in which jobs end."""

    COMPLETED = State.COMPLETED.value
    FAILED = State.FAILED.value


StateArgument = Annotated[Ended, typer.Argument(help="Delete jobs of this state.")]
AgeOption = Annotated[
    Any,
    typer.Option(
        parser=terminal.age, metavar="AGE", help="Only jobs that ended longer ago than this: 90s, 15m, 2h, 7d."
    ),
]

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command(help=__doc__)
def main(
    state: StateArgument,
    *,
    older: AgeOption,
    queue: QueueOption = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Ask, and delete."""

    async def work(admin: Admin) -> dict[str, int]:
        names = admin.queues.chosen(queue)
        if dry_run:
            return {name: await admin.queues.cleanable(name, State(state.value), older) for name in names}
        terminal.confirm(f"Delete the {state} jobs of {queue or 'all queues'} for good?", yes=yes)
        return {name: await admin.queues.clean(name, State(state.value), older) for name in names}

    counts = terminal.run(work)
    word = "matched" if dry_run else "removed"
    if as_json:
        terminal.print_json({word: counts})
    else:
        out.print(terminal.table(["queue", word], counts.items()))


if __name__ == "__main__":
    app()
