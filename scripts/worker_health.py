"""Check that all queues are served: `python -m scripts.worker_health`, for a platform's check or a cron job.

Exit status 0 if heartbeats of the last 30 seconds show that workers serve, on each of `WIRES`, each queue that a worker
with this environment serves; else 5, with the queues and wires that no worker serves. With `--here` only workers on
this machine count: use it for a container's own check. scripts/README.md has the other exit codes.
"""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scripts import terminal
from scripts.terminal import JsonOption, ago, out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from queue_lib.admin.admin import Admin
    from queue_lib.observe.worker_stats import WorkerView

UNSERVED = 5
WITHIN = 30.0  # seconds; a heartbeat is sent every ten, and forgotten after sixty

WithinOption = Annotated[float, typer.Option(min=1, max=60, metavar="SECONDS", help="How old a heartbeat may be.")]
HereOption = Annotated[bool, typer.Option("--here", help="Only workers on this machine count.")]

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command(help=__doc__)
def main(*, within: WithinOption = WITHIN, here: HereOption = False, as_json: JsonOption = False) -> None:
    """Read the heartbeats, print them and set the exit status."""
    names = terminal.served_queues()

    async def work(admin: Admin) -> tuple[list[WorkerView], list[str]]:
        host = socket.gethostname()
        oldest = time.time() - within
        heard = [
            each for each in await admin.workers.alive() if each.seen_at >= oldest and (not here or each.host == host)
        ]
        served = {(queue, wire) for each in heard for queue in each.queues for wire in each.wires}
        wanted = [(queue, wire) for queue in names for wire in admin.wires]
        return heard, [f"{queue} on {wire}" for queue, wire in wanted if (queue, wire) not in served]

    heard, unserved = terminal.run(work)
    _tell(heard, unserved, as_json=as_json)
    if unserved:
        terminal.end("; ".join(f"no worker serves {each}" for each in unserved), UNSERVED)


def _tell(heard: Sequence[WorkerView], unserved: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        terminal.print_json({"workers": [_plain(each) for each in heard], "unserved": list(unserved)})
        return
    rows = [
        (
            each.name,
            f"{each.memory / 2**20:.0f} MiB",
            ", ".join(each.queues),
            ", ".join(each.wires),
            len(each.running),
            ago(each.started_at),
            ago(each.seen_at),
        )
        for each in heard
    ]
    out.print(terminal.table(["worker", "memory", "queues", "wires", "running", "started", "heard of"], rows))


def _plain(worker: WorkerView) -> dict[str, Any]:
    plain: dict[str, Any] = worker.model_dump(mode="json", by_alias=True)
    return plain


if __name__ == "__main__":
    app()
