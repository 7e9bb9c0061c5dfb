"""List dead letters, run their jobs again, or drop them: `python -m scripts.dead_letters list`.

A dead letter is a job that failed for good. scripts/README.md has the exit codes.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from queue_lib.admin.bulk import for_each
from queue_lib.admin.dead_letters import REPLAYED
from queue_lib.admin.filters import JobFilter
from scripts import terminal
from scripts.by_reason import ByReasonOption, ReasonOption, show_groups
from scripts.terminal import (
    IN_PART,
    LONGEST_REASON,
    SHOWN,
    USAGE,
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
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from queue_lib.admin.admin import Admin
    from queue_lib.broker.dead_letters import DeadLetterView

Ids = Annotated[
    list[str] | None, typer.Argument(metavar="[LETTER]...", help="Ids of dead letters, as `list` shows them.")
]
AllOption = Annotated[bool, typer.Option("--all", help="Instead of ids: all that match the options.")]

app = typer.Typer(
    add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, no_args_is_help=True, help=__doc__
)


@app.command("list")
def show_list(  # noqa: PLR0913 -- the options of the command line
    *,
    queue: QueueOption = None,
    wire: WireOption = None,
    name: NameOption = None,
    text: TextOption = None,
    reason: ReasonOption = None,
    newer: NewerOption = None,
    older: OlderOption = None,
    by_reason: ByReasonOption = False,
    as_json: JsonOption = False,
) -> None:
    """List dead letters, the oldest first; with --by-reason their reasons."""
    wanted = JobFilter(queue=queue, wire=wire, name=name, reason=text, newer=newer, older=older, group=reason)
    show_all = show_groups if by_reason else _show
    terminal.run(lambda admin: show_all(admin.dead_letters.each(wanted, brief=True), as_json=as_json))


async def _show(letters: AsyncIterator[DeadLetterView], *, as_json: bool) -> None:
    """Print them one by one: all together may not fit into memory."""
    rows, count = list[tuple[object, ...]](), 0
    async for each in letters:
        count += 1
        if as_json:
            terminal.print_json(each.model_dump(mode="json", by_alias=True, exclude={"data", "stack"}))
        elif count <= SHOWN:
            failed = ago(each.failed_at / 1000)
            rows.append((each.letter_id, each.name, each.attempts_made, failed, each.reason[:LONGEST_REASON]))
    if as_json:
        return
    out.print(terminal.table(["letter", "job", "attempts", "failed", "reason"], rows))
    more = f" ({count - SHOWN} more; --json shows all)" if count > SHOWN else ""
    out.print(f"dead letters: {count}{more}")


@app.command()
def show(letter_id: Annotated[str, typer.Argument(metavar="LETTER")], *, as_json: JsonOption = False) -> None:
    """Show one dead letter in full: payload, reason and stack trace."""
    letter = terminal.run(lambda admin: admin.dead_letters.find(letter_id))
    if letter is None:
        terminal.end(f"there is no dead letter {letter_id}", IN_PART)
    facts = letter.model_dump(mode="json", by_alias=True)
    if as_json:
        terminal.print_json(facts)
        return
    data, stack = json.dumps(facts.pop("data"), indent=2), facts.pop("stack")
    out.print(terminal.table(["", ""], [*facts.items(), ("failed", f"{ago(letter.failed_at / 1000)} ago")]))
    for part in (data, stack):
        for line in part.splitlines():
            out.print(terminal.printable(line), markup=False, soft_wrap=True)


@app.command()
def replay(  # noqa: PLR0913 -- the options of the command line
    letters: Ids = None,
    *,
    every: AllOption = False,
    queue: QueueOption = None,
    wire: WireOption = None,
    name: NameOption = None,
    text: TextOption = None,
    reason: ReasonOption = None,
    newer: NewerOption = None,
    older: OlderOption = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Run the jobs of dead letters again, from the first attempt and on their own wire, and drop the dead letters."""
    wanted = JobFilter(queue=queue, wire=wire, name=name, reason=text, newer=newer, older=older, group=reason)

    async def one(admin: Admin, letter: DeadLetterView) -> str:
        return (await admin.dead_letters.replay(letter)).value

    _each("Replay", letters, wanted, one, every=every, dry_run=dry_run, yes=yes, as_json=as_json)


@app.command()
def drop(  # noqa: PLR0913 -- the options of the command line
    letters: Ids = None,
    *,
    every: AllOption = False,
    queue: QueueOption = None,
    wire: WireOption = None,
    name: NameOption = None,
    text: TextOption = None,
    reason: ReasonOption = None,
    newer: NewerOption = None,
    older: OlderOption = None,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Delete dead letters. The jobs stay in their failed sets until retention removes them."""
    wanted = JobFilter(queue=queue, wire=wire, name=name, reason=text, newer=newer, older=older, group=reason)

    async def one(admin: Admin, letter: DeadLetterView) -> str:
        return "dropped" if await admin.dead_letters.drop(letter) else "gone"

    _each("Drop", letters, wanted, one, every=every, dry_run=dry_run, yes=yes, as_json=as_json)


@app.command()
def export() -> None:
    """Print all dead letters in full, with payloads and stack traces: one JSON object a line."""
    terminal.run(_export)


async def _export(admin: Admin) -> None:
    async for letter in admin.dead_letters.each(JobFilter()):
        terminal.print_json(letter.model_dump(mode="json", by_alias=True) | {"data": letter.data})  # not cut for people


def _each(  # noqa: PLR0913 -- what the command line said
    verb: str,
    ids: Sequence[str] | None,
    wanted: JobFilter,
    one: Callable[[Admin, DeadLetterView], Awaitable[str]],
    *,
    every: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Do `one` to each dead letter, or show them. Ends the process; with IN_PART if it was not done to all."""
    if bool(ids) == every:
        terminal.end("name ids of dead letters, or use --all", USAGE)
    if dry_run:
        terminal.run(lambda admin: _show(_meant(admin, ids, wanted), as_json=as_json))
        return

    async def work(admin: Admin) -> dict[str, str]:
        async def settle(letter: DeadLetterView) -> tuple[str, str]:
            return letter.letter_id, await one(admin, letter)

        if ids is None:
            count = await _count(admin.dead_letters.each(wanted, brief=True))
            terminal.confirm(f"{verb} {count} dead letters?", yes=yes or count == 0)
            # No more than the question has said: those that came since are the newest, and so the last.
            meant = terminal.first(count, admin.dead_letters.each_to_settle(wanted))
            return dict((await for_each(meant, settle)).outcomes)
        found = [(letter_id, await admin.dead_letters.find(letter_id)) for letter_id in ids]
        return {letter_id: "gone" if letter is None else await one(admin, letter) for letter_id, letter in found}

    outcomes = terminal.run(work)
    if as_json:
        terminal.print_json(outcomes)
    else:
        _tell(outcomes)
    is_whole = set(outcomes.values()) <= {*REPLAYED, "dropped"}
    raise typer.Exit(0 if is_whole else IN_PART)


async def _meant(admin: Admin, ids: Sequence[str] | None, wanted: JobFilter) -> AsyncIterator[DeadLetterView]:
    if ids is None:
        async for letter in admin.dead_letters.each(wanted, brief=True):
            yield letter
    for letter_id in ids or ():
        if (found := await admin.dead_letters.find(letter_id)) is not None:
            yield found


async def _count(letters: AsyncIterator[DeadLetterView]) -> int:
    count = 0
    async for _ in letters:
        count += 1
    return count


def _tell(outcomes: Mapping[str, str]) -> None:
    """Print the outcome of each, or the number of each outcome."""
    if len(outcomes) <= SHOWN:
        out.print(terminal.table(["letter", "outcome"], outcomes.items()))
    else:
        out.print(terminal.table(["outcome", "letters"], Counter(outcomes.values()).items()))


if __name__ == "__main__":
    app()
