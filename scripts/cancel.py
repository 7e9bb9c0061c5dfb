"""Take back jobs by their cancel key: `python -m scripts.cancel message:42`.

All jobs with this key that were added until now end without doing anything, whenever they are due. scripts/README.md
has the exit codes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from queue_lib.cancel_key import CANCELLED_FOR
from scripts import terminal
from scripts.terminal import JsonOption, out

if TYPE_CHECKING:
    from queue_lib.admin.admin import Admin

KeyArgument = Annotated[str, typer.Argument(metavar="KEY", help="The jobs' cancelKey.")]
ForOption = Annotated[
    Any,
    typer.Option(
        "--for",
        parser=terminal.age,
        metavar="AGE",
        help="How long such a job may wait (24h): 90s, 15m, 2h, 28d at most.",
    ),
]

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command(help=__doc__)
def main(key: KeyArgument, *, seconds: ForOption = None, as_json: JsonOption = False) -> None:
    """Cancel the key."""

    async def work(admin: Admin) -> None:
        await admin.cancel(key, CANCELLED_FOR if seconds is None else seconds)

    terminal.run(work)
    if as_json:
        terminal.print_json({"cancelled": key})
    else:
        out.print("cancelled")


if __name__ == "__main__":
    app()
