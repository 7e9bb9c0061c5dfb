"""Failed jobs or dead letters by reason, as the dashboard groups them: for the scripts that list them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from queue_lib.admin.letter_groups import Grouping
from queue_lib.broker.dead_letters import DeadLetterView
from scripts import terminal
from scripts.terminal import LONGEST_REASON, SHOWN, ago, out

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from queue_lib.admin.letter_groups import LetterGroup
    from queue_lib.admin.ports import JobView

NAMES = 3  # of jobs that a row of the table has
COLUMNS = ("group", "count", "jobs", "last", "reason")


def group_id(text: str) -> str:
    """The id of a group, as `--by-reason` shows it."""
    if re.fullmatch(r"[0-9a-f]{18}", text) is None:
        msg = f"{text!r} is no id of a group: --by-reason shows them; words of a reason are for --text"
        raise typer.BadParameter(msg)
    return text


ReasonOption = Annotated[
    str | None,
    typer.Option(parser=group_id, metavar="GROUP", help="Only jobs of this reason: the group that --by-reason shows."),
]
ByReasonOption = Annotated[
    bool, typer.Option("--by-reason", help="Show the reasons, the most frequent first, and change nothing.")
]


def letter_of(job: JobView | DeadLetterView) -> DeadLetterView:
    """The dead letter; that of a failed job says what its own would say."""
    if isinstance(job, DeadLetterView):
        return job
    return DeadLetterView(
        letter_id="",
        id=job.id,
        name=job.name,
        queue=job.queue,
        wire=job.wire,
        reason=job.reason or "",
        failed_at=round((job.finished_at or 0.0) * 1000),
    )


async def groups_of(found: AsyncIterator[JobView | DeadLetterView]) -> list[LetterGroup]:
    """Their groups: the largest first, of equal ones the one that failed last."""
    grouping = Grouping()
    async for each in found:
        grouping.add(letter_of(each))
    return grouping.groups()


async def show_groups(found: AsyncIterator[JobView | DeadLetterView], *, as_json: bool) -> None:
    """Print the groups, each with what names it for `--reason`."""
    groups = await groups_of(found)
    if as_json:
        terminal.print_json({"groups": [_plain(group) for group in groups]})
        return
    out.print(terminal.table(COLUMNS, [_row(group) for group in groups[:SHOWN]]))
    more = f" ({len(groups) - SHOWN} more; --json shows all)" if len(groups) > SHOWN else ""
    out.print(f"reasons: {len(groups)}{more}")


def _row(group: LetterGroup) -> tuple[object, ...]:
    names = [f"{name} {count}" if len(group.names) > 1 else name for name, count in group.names.most_common(NAMES)]
    jobs = ", ".join(names) + (f" and {len(group.names) - NAMES} more" if len(group.names) > NAMES else "")
    return group.id, group.count, jobs, ago(group.newest / 1000), group.gist[:LONGEST_REASON] or "none"


def _plain(group: LetterGroup) -> dict[str, Any]:
    """As the API has it."""
    return {
        "id": group.id,
        "reason": group.gist,
        "count": group.count,
        "newest": group.newest,
        "oldest": group.oldest,
        "names": dict(group.names),
        "queues": dict(group.queues),
        "wires": {wire.value: count for wire, count in group.wires.items()},
    }
