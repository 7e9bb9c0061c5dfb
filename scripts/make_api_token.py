"""Make a token for the API: `python -m scripts.make_api_token next-app`, or with `--read-only`.

It prints the token, for the app's environment, and an entry for API_TOKENS of the web process. The entry has only the
token's hash, so keep the token: it is printed once.
"""

from __future__ import annotations

from typing import Annotated

import typer

from queue_lib.web import tokens
from queue_lib.web.settings import ENTRY
from scripts import terminal

ReadOnlyOption = Annotated[bool, typer.Option("--read-only", help="The token may read, but change nothing.")]

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command(help=__doc__)
def main(
    name: Annotated[str, typer.Argument(help="The owner's name, for the log: letters, digits, - and _.")],
    *,
    read_only: ReadOnlyOption = False,
) -> None:
    """Make it, and print both halves."""
    secret, token = tokens.make(name, may_write=not read_only)
    if ENTRY.fullmatch(tokens.entry(token)) is None:
        terminal.end("the name may have only letters, digits, - and _, at most 40", terminal.USAGE)
    print(f"PUSHMILL_TOKEN={secret}")
    print(f"API_TOKENS={tokens.entry(token)}")


if __name__ == "__main__":
    app()
