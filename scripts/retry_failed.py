"""Run failed jobs again, on both wires: `python -m scripts.retry_failed --text timeout --newer 2h`.

A retried job starts from its first attempt, and its dead letter is dropped. If the command is interrupted, run it
again: jobs that it has retried are no longer failed. scripts/README.md has the exit codes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import track

from queue_lib.admin.bulk import for_each
from queue_lib.admin.filters import JobFilter
from scripts import terminal
from scripts.by_reason import ByReasonOption, ReasonOption, show_groups
from scripts.terminal import (
    IN_PART,
    LONGEST_REASON,
    SHOWN,
    DryRunOption,
    JsonOption,
    NameOption,
    NewerOption,
    OlderOption,
    QueueOption,
    TextOption,
    WireOption,
    YesOption,
    ago,
    out,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from queue_lib.admin.admin import Admin
    from queue_lib.admin.ports import JobView

LimitOption = Annotated[int | None, typer.Option(min=1, help="Take at most so many, the newest first.")]

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command(help=__doc__)
def main(  # noqa: PLR0913 -- the options of the command line
    *,
    queue: QueueOption = None,
    wire: WireOption = None,
    name: NameOption = None,
    text: TextOption = None,
    reason: ReasonOption = None,
    newer: NewerOption = None,
    older: OlderOption = None,
    limit: LimitOption = None,
    by_reason: ByReasonOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Find, ask, retry."""
    wanted = JobFilter(queue=queue, wire=wire, name=name, reason=text, newer=newer, older=older, group=reason)

    async def work(admin: Admin) -> int:
        if by_reason:
            await show_groups(terminal.first(limit, admin.jobs.each_failed(wanted)), as_json=as_json)
            return 0
        if dry_run:
            await show(terminal.first(limit, admin.jobs.each_failed(wanted)), as_json=as_json)
            return 0
        jobs = (await admin.jobs.failed(wanted, limit)).jobs
        if jobs:
            terminal.confirm(f"Retry {len(jobs)} failed jobs?", yes=yes)
        return await retry(admin, jobs, as_json=as_json)

    raise typer.Exit(terminal.run(work))


async def show(jobs: AsyncIterator[JobView], *, as_json: bool) -> None:
    """Print the jobs that match."""
    rows, plain, count = list[tuple[object, ...]](), list[dict[str, Any]](), 0
    async for job in jobs:
        count += 1
        if as_json:
            plain.append(_plain(job))
        elif count <= SHOWN:
            failed = ago(job.finished_at)
            rows.append((job.queue, job.wire, job.id, job.name, job.attempts_made, failed, _reason(job)))
    if as_json:
        terminal.print_json({"matched": count, "jobs": plain})
        return
    out.print(terminal.table(["queue", "wire", "id", "name", "attempts", "failed", "reason"], rows))
    more = f" ({count - SHOWN} more)" if count > SHOWN else ""
    out.print(f"failed jobs: {count}{more}")


def _reason(job: JobView) -> str:
    return (job.reason or "")[:LONGEST_REASON]


def _plain(job: JobView) -> dict[str, Any]:
    failed_at = None if job.finished_at is None else round(job.finished_at * 1000)
    facts = {"queue": job.queue, "wire": job.wire.value, "id": job.id, "name": job.name, "reason": job.reason}
    return facts | {"attemptsMade": job.attempts_made, "failedAt": failed_at}


async def retry(admin: Admin, jobs: Sequence[JobView], *, as_json: bool) -> int:
    """Retry them one after the other; returns the exit status."""
    shown = track(jobs, "retrying", console=Console(stderr=True), disable=not out.is_terminal)
    done = sum((await for_each(shown, admin.jobs.retry)).outcomes)
    left = len(jobs) - done
    if as_json:
        terminal.print_json({"matched": len(jobs), "retried": done, "notFailed": left})
    else:
        out.print(f"{done} of {len(jobs)} retried" + (f"; {left} were no longer failed" if left else ""))
    return IN_PART if left else 0


if __name__ == "__main__":
    app()
