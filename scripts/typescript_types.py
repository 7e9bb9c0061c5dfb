"""Make the types of the npm package `pushmill` from the models of the jobs.

`python -m scripts.typescript_types` prints them; `--write` puts them into the package and into docs/next.js.md. With
`JOBS=my_jobs` it prints a file that adds a team's own jobs to the package's types; docs/own-jobs.md shows its use.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from processors.features import FEATURES
from processors.own.feature import own_feature
from queue_lib.broker.dead_letters import DeadLetterData
from queue_lib.errors import ConfigurationError
from queue_lib.feature import jobs_of
from queue_lib.jobs.own_module import own_jobs
from queue_lib.settings import JobsSettings, Reading
from queue_lib.typescript import Types
from scripts import terminal

if TYPE_CHECKING:
    from queue_lib.jobs.own_module import OwnJobs

PROJECT = Path(__file__).resolve().parents[1]
PACKAGE = PROJECT / "packages" / "next" / "src" / "jobs.ts"
PAGE = PROJECT / "docs" / "next.js.md"
BEGIN, END = "<!-- types: begin -->\n", "<!-- types: end -->\n"
WriteOption = Annotated[bool, typer.Option("--write", help="Write the package's file and the page.")]

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

FILE = """\
// Generated from the worker's models: `python -m scripts.typescript_types --write`.

{declarations}
/** Every job of the worker, by name. A team's own jobs are added by a file that docs/own-jobs.md tells how to make. */
export interface Jobs {{
{jobs}}}

/** The queue of each job. */
export const QUEUE_OF = {{
{queues}}} as const;
"""

OWN_FILE = """\
/* eslint-disable */
// Generated from the jobs of {modules}: `JOBS={modules} python -m scripts.typescript_types`.

{declarations}
export interface OwnJobs {{
{jobs}}}

declare module "pushmill" {{
  interface Jobs extends OwnJobs {{}}
}}

/** The queue of each job, for the option `queues` of `pushmill/bullmq`. */
export const OWN_QUEUES = {{
{queues}}} as const;
"""

ON_THE_PAGE = """\
| queue | job | payload | result |
|---|---|---|---|
{rows}| `dead` | `<job name>_failed` | `DeadLetter` | |

```ts
// pushmill/jobs.ts

{declarations}```
"""


def types(*, is_page: bool = False) -> Types:
    """The types of the jobs that producers may add, and of dead letters."""
    return Types([job for job in jobs_of(FEATURES) if not job.internal], DeadLetterData, is_page=is_page)


def file() -> str:
    """The package's file."""
    made = types()
    return FILE.format(declarations=made.declarations(), jobs=_jobs(made), queues=_queues(made))


def own_file(own: OwnJobs, modules: str) -> str:
    """A file of a team's own, for the jobs of its `modules`. A job in a queue that there is none of raises."""
    feature = own_feature(own)
    jobs_of([*FEATURES, feature])
    made = Types(feature.jobs)
    return OWN_FILE.format(modules=modules, declarations=made.declarations(), jobs=_jobs(made), queues=_queues(made))


def page() -> str:
    """The part of docs/next.js.md between the marks."""
    made = types(is_page=True)
    rows = "".join(
        f"| `{queue}` | `{name}` | `{payload}` | `{result}` |\n" for name, (queue, payload, result) in made.jobs.items()
    )
    return ON_THE_PAGE.format(rows=rows, declarations=made.declarations())


def replaced(text: str) -> str:
    """The page's text with the types of today in it."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + page() + END + after


def _jobs(made: Types) -> str:
    return "".join(
        f"  {json.dumps(name)}: {{ queue: {json.dumps(queue)}; payload: {payload}; result: {result} }};\n"
        for name, (queue, payload, result) in made.jobs.items()
    )


def _queues(made: Types) -> str:
    return "".join(f"  {json.dumps(name)}: {json.dumps(queue)},\n" for name, (queue, _, _) in made.jobs.items())


@app.command(help=__doc__)
def main(*, write: WriteOption = False) -> None:
    """Print the types, or write them."""
    if write:
        PACKAGE.write_text(file())
        PAGE.write_text(replaced(PAGE.read_text()))
        return
    reading = Reading()
    own = own_jobs(reading)
    try:
        [settings] = reading.load(JobsSettings)
        print(own_file(own, ",".join(settings.jobs)) if settings.jobs else file(), end="")
    except ConfigurationError as error:
        terminal.end(str(error), terminal.NOT_FIT)


if __name__ == "__main__":
    app()
