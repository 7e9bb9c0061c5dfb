"""Show for each queue the number of jobs by state and wire, and how long the next job has waited.

`python -m scripts.queue_stats --watch 2` repeats it every two seconds. scripts/README.md has the exit codes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.live import Live

from queue_lib.job import State
from scripts import terminal
from scripts.terminal import JsonOption, out, span

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from queue_lib.admin.admin import Admin
    from queue_lib.admin.queues import QueueStats

WatchOption = Annotated[float | None, typer.Option(min=0.2, metavar="SECONDS", help="Repeat every so many seconds.")]

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command(help=__doc__)
def main(*, watch: WatchOption = None, as_json: JsonOption = False) -> None:
    """Look, once or until interrupted."""

    async def work(admin: Admin) -> None:
        if watch is None or as_json or not out.is_terminal:  # only a terminal can redraw
            await _show(admin, as_json=as_json)
            while watch is not None:
                await asyncio.sleep(watch)
                await _show(admin, as_json=as_json)
            return
        with Live(console=out, auto_refresh=False) as live:
            while True:
                live.update(_table(await admin.queues.stats(), await admin.dead_letters.count()), refresh=True)
                await asyncio.sleep(watch)

    terminal.run(work)


async def _show(admin: Admin, *, as_json: bool) -> None:
    stats, letters = await admin.queues.stats(), await admin.dead_letters.count()
    if as_json:
        terminal.print_json({"queues": [_plain(each) for each in stats], "deadLetters": letters})
    else:
        out.print(_table(stats, letters))


def _plain(stats: QueueStats) -> dict[str, Any]:
    wires = {wire.value: {state.value: n for state, n in counts.items()} for wire, counts in stats.counts.items()}
    trouble = stats.trouble and stats.trouble.value
    return {"queue": stats.queue, "paused": stats.paused, "oldest": stats.oldest, "trouble": trouble, "wires": wires}


def _table(stats: Sequence[QueueStats], letters: int | None) -> Table:
    rows: list[tuple[object, ...]] = []
    for each in stats:
        oldest = "" if each.oldest is None else span(each.oldest)
        for number, (wire, counts) in enumerate(each.counts.items()):
            name = (each.queue, "paused" if each.paused else "", oldest) if number == 0 else ("", "", "")
            rows.append((*name, wire, *(counts[state] for state in State)))
        if each.trouble is not None:
            rows.append((each.queue, each.trouble.value, "", "", *("" for _ in State)))
    rows.append(("dead letters", "", "", "", "?" if letters is None else letters))
    return terminal.table(["queue", "", "oldest", "wire", *(state.value for state in State)], rows)


if __name__ == "__main__":
    app()
