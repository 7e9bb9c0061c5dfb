"""List schedules, run one now, pause, resume or remove it: `python -m scripts.schedules list`.

The app makes schedules with `upsertJobScheduler`, a module of own jobs with SCHEDULES, and the API.
scripts/README.md has the exit codes.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from queue_lib.admin.schedules import PAGE
from scripts import terminal
from scripts.terminal import IN_PART, LONGEST_REASON, SHOWN, USAGE, JsonOption, ago, out

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from queue_lib.admin.admin import Admin
    from queue_lib.admin.schedules import ScheduleView

IdArgument = Annotated[str, typer.Argument(metavar="SCHEDULE", help="Its id, as `list` shows it.")]
QueueOption = Annotated[str | None, typer.Option(help="Its queue, if several have a schedule with this id.")]
OfQueue = Annotated[str | None, typer.Option("--queue", help="Only those of this queue.")]

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True, help=__doc__
)


@app.command("list")
def show_list(*, queue: OfQueue = None, as_json: JsonOption = False) -> None:
    """List schedules, with their next time (UTC) and how their last job ended."""
    unread = terminal.run(lambda admin: _show(admin, queue, as_json=as_json))
    if unread:
        terminal.end(f"not read, because a key in Redis has the wrong type: {', '.join(unread)}", IN_PART)


async def _show(admin: Admin, queue: str | None, *, as_json: bool) -> Sequence[str]:
    """Print them; returns the queues that can't be read."""
    rows, count = list[tuple[object, ...]](), 0
    while (page := await admin.schedules.page(queue, count, PAGE)).schedules:
        count += len(page.schedules)
        if as_json:
            for each in page.schedules:
                terminal.print_json(_facts(each))
        rows += [_row(each) for each in page.schedules[: SHOWN - len(rows)]]
    if not as_json:
        out.print(terminal.table(["schedule", "queue", "job", "when", "next", "last run"], rows))
        more = f" ({count - SHOWN} more; --json shows all)" if count > SHOWN else ""
        out.print(f"schedules: {count}{more}")
    return page.unread


def _row(each: ScheduleView) -> tuple[object, ...]:
    last = f"{each.last.state.value} {ago(each.last.at)} ago" if each.last else ""
    return (each.id, each.queue, each.job, _when(each), _next(each), last)


def _facts(each: ScheduleView) -> dict[str, Any]:
    last = each.last and {"state": each.last.state.value, "at": round(each.last.at * 1000), "job": each.last.job_id}
    return {
        "id": each.id,
        "queue": each.queue,
        "name": each.job,
        "cron": each.cron,
        "tz": each.tz,
        "every": None if each.every is None else round(each.every * 1000),
        "next": [round(at * 1000) for at in each.times],
        "paused": each.paused,
        "reason": each.reason,
        "last": last,
    }


def _when(each: ScheduleView) -> str:
    if each.cron is not None:
        return f"{each.cron} {each.tz or ''}".rstrip()
    return "" if each.every is None else f"every {each.every:g}s"


def _next(each: ScheduleView) -> str:
    if each.paused:
        return "paused"
    if each.reason:
        return f"stopped: {each.reason[:LONGEST_REASON]}"
    return datetime.fromtimestamp(each.times[0], UTC).strftime("%Y-%m-%d %H:%M:%S") if each.times else ""


@app.command()
def run(schedule: IdArgument, *, queue: QueueOption = None, as_json: JsonOption = False) -> None:
    """Add one more job like those of the schedule now. Its own times stay."""

    async def one(admin: Admin, found: ScheduleView) -> str | None:
        return await admin.schedules.run(found)

    _act("added", one, schedule, queue, as_json=as_json)


@app.command()
def pause(schedule: IdArgument, *, queue: QueueOption = None, as_json: JsonOption = False) -> None:
    """Let the schedule add no more jobs until it is resumed."""

    async def one(admin: Admin, found: ScheduleView) -> str | None:
        return found.id if await admin.schedules.pause(found) else None

    _act("paused", one, schedule, queue, as_json=as_json)


@app.command()
def resume(schedule: IdArgument, *, queue: QueueOption = None, as_json: JsonOption = False) -> None:
    """Let a paused schedule go on at its next time."""

    async def one(admin: Admin, found: ScheduleView) -> str | None:
        return found.id if await admin.schedules.resume(found) else None

    _act("resumed", one, schedule, queue, as_json=as_json)


@app.command()
def remove(schedule: IdArgument, *, queue: QueueOption = None, as_json: JsonOption = False) -> None:
    """Delete the schedule, and the job that was to come. A worker adds one of SCHEDULES again when it starts."""

    async def one(admin: Admin, found: ScheduleView) -> str | None:
        return found.id if await admin.schedules.remove(found) else None

    _act("removed", one, schedule, queue, as_json=as_json)


def _act(
    done: str,
    one: Callable[[Admin, ScheduleView], Awaitable[str | None]],
    schedule: str,
    queue: str | None,
    *,
    as_json: bool,
) -> None:
    """Do `one` to the schedule. Ends the process if there is none, or several, or nothing was done."""

    async def work(admin: Admin) -> str | None:
        found = await admin.schedules.find(schedule, queue)
        if len(found) > 1:
            terminal.end(f"say which: --queue {' or '.join(each.queue for each in found)}", USAGE)
        return await one(admin, found[0]) if found else None

    made = terminal.run(work)
    if made is None:
        terminal.end(f"nothing was done: there is no such schedule, or it is not to be {done}", IN_PART)
    if as_json:
        terminal.print_json({done: made})
    else:
        out.print(f"{done}: {terminal.printable(made)}", markup=False)


if __name__ == "__main__":
    app()
