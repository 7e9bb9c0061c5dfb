"""Enqueue a job: `python -m scripts.enqueue process-image '{"fileId": "1", "filePath": "uploads/a.jpg", "userId": 1}'`.

The payload is checked as the worker would check it; `-` reads it from standard input. The command prints the job's id.
scripts/README.md has the exit codes; an invalid payload or an unknown name is 2.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import ValidationError

from queue_lib.admin.add_options import AddOptions
from queue_lib.job import Wire
from queue_lib.processor import faults
from scripts import terminal
from scripts.terminal import USAGE, JsonOption, out

if TYPE_CHECKING:
    from queue_lib.addition import Addition
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

OptionsOption = Annotated[
    str,
    typer.Option(metavar="JSON", help="BullMQ's options for the job, as POST /queue/jobs of the REST API takes them."),
]

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
    options: OptionsOption = "{}",
    as_json: JsonOption = False,
) -> None:
    """Check, and enqueue."""
    payload = _json(sys.stdin.read() if data == "-" else data, "the payload is")
    addition = _addition(name, payload, options, {"delay": delay, "attempts": attempts, "job_id": job_id})

    async def work(admin: Admin) -> str:
        return (await admin.jobs.add(addition, wire))[0]

    added = terminal.run(work)
    if as_json:
        terminal.print_json({"id": added, "name": name, "wire": wire.value})
    else:
        out.print(terminal.printable(added), markup=False)


def _json(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        terminal.end(f"{what} not JSON: {error}", USAGE)


def _addition(name: str, payload: Any, text: str, flags: dict[str, Any]) -> Addition:
    """The job. Ends the process for options that do not exist, or that a flag gives, too."""
    try:
        options = AddOptions.model_validate(_json(text, "--options is"))
    except ValidationError as error:
        terminal.end(f"--options: {faults(error)}", USAGE)
    given = {option: value for option, value in flags.items() if value is not None}
    if twice := options.model_fields_set & set(given):
        terminal.end(f"given twice, as a flag and in --options: {', '.join(sorted(twice))}", USAGE)
    return replace(options.addition(name, payload), **given)


if __name__ == "__main__":
    app()
