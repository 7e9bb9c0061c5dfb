"""Enqueue a job: `python -m scripts.enqueue process-image '{"fileId": "1", "filePath": "uploads/a.jpg", "userId": 1}'`.

The payload is checked as the worker would check it; `-` reads it from standard input. The command prints the job's id.
scripts/README.md has the exit codes; an invalid payload or an unknown name is 2.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from queue_lib.addition import Addition
from queue_lib.job import Wire
from scripts import terminal
from scripts.terminal import USAGE, JsonOption, out

if TYPE_CHECKING:
    from queue_lib.admin.admin import Admin

NameArgument = Annotated[str, typer.Argument(help="The job's name.")]
DataArgument = Annotated[str, typer.Argument(help="The payload as JSON; - reads it from standard input.")]
JobWireOption = Annotated[Wire, typer.Option(help="The wire to enqueue on.")]
DelayOption = Annotated[
    Any, typer.Option(parser=terminal.age, metavar="TIME", help="Run the job after this time: 90s, 15m, 2h, 7d.")
]
AttemptsOption = Annotated[
    int | None, typer.Option(min=1, max=1000, help="Attempts, instead of the queue's own number.")
]
JobIdOption = Annotated[str | None, typer.Option(help="The job's id. If a job has it already, none is added.")]

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command(help=__doc__)
def main(  # noqa: PLR0913 -- the options of the command line
    name: NameArgument,
    data: DataArgument,
    *,
    wire: JobWireOption = Wire.BULLMQ,
    delay: DelayOption = None,
    attempts: AttemptsOption = None,
    job_id: JobIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check, and enqueue."""
    try:
        payload = json.loads(sys.stdin.read() if data == "-" else data)
    except ValueError as error:
        terminal.end(f"the payload is not JSON: {error}", USAGE)
    addition = Addition(name=name, data=payload, job_id=job_id, delay=delay or 0.0, attempts=attempts)

    async def work(admin: Admin) -> str:
        return (await admin.jobs.add(addition, wire))[0]

    added = terminal.run(work)
    if as_json:
        terminal.print_json({"id": added, "name": name, "wire": wire.value})
    else:
        out.print(terminal.printable(added), markup=False)


if __name__ == "__main__":
    app()
