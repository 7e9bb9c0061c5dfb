"""Make a token for the API: `python -m scripts.make_api_token next-app`, or with `--read-only`.

The token is printed once, for the app's environment; its entry goes into API_TOKENS of the web process, which holds no
more than its hash.
"""

from __future__ import annotations

from typing import Annotated

import typer

from queue_lib.web import tokens
from queue_lib.web.settings import ENTRY
from scripts import terminal

ReadOnlyOption = Annotated[bool, typer.Option("--read-only", help="It may look, and change nothing.")]

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command(help=__doc__)
def main(
    name: Annotated[str, typer.Argument(help="Whose it is: letters, digits, - and _.")],
    *,
    read_only: ReadOnlyOption = False,
) -> None:
    """Make it, and print both halves."""
    secret, token = tokens.make(name, may_write=not read_only)
    if ENTRY.fullmatch(tokens.entry(token)) is None:
        terminal.end("the name has letters, digits, - and _, at most 40", terminal.USAGE)
    print(f"PUSHMILL_TOKEN={secret}")
    print(f"API_TOKENS={tokens.entry(token)}")


if __name__ == "__main__":
    app()
