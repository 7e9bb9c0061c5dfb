"""Show what a `cleanup` would delete, and delete it with `--delete`.

`python -m scripts.cleanup temp_files --older 7d --path exports --pattern '*.csv'` shows what is old; `--delete` deletes
it after you have confirmed it. `old_logs` and `expired_sessions` are rows. It does so itself, without a job, within the
same bounds. Run it in the worker's own environment. scripts/README.md has the exit codes; 3 means the database or the
object store.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from pydantic import ValidationError

from processors.maintenance.cleanup import Cleanup
from processors.maintenance.opening import cleanup_dependencies, missing
from processors.maintenance.payload import CleanupPayload, CleanupResult
from processors.maintenance.settings import MaintenanceSettings
from queue_lib.errors import ConfigurationError, PermanentError, SnoozeError, TransientError
from queue_lib.processor import faults
from queue_lib.settings import Reading, is_configured
from scripts import terminal
from scripts.terminal import AWAY, IN_PART, NOT_FIT, USAGE, JsonOption, YesOption, out
from storage.errors import StorageUnavailableError
from storage.facade import Storage
from storage.settings import DatabaseSettings, ObjectsSettings

if TYPE_CHECKING:
    from queue_lib.processor import Context

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

TargetArgument = Annotated[str, typer.Argument(help="temp_files, old_logs or expired_sessions.", metavar="TARGET")]
AgeOption = Annotated[
    Any, typer.Option(parser=terminal.age, metavar="AGE", help="What is older than this: 1h (the least), 7d.")
]
PathOption = Annotated[str | None, typer.Option(help="Of temp_files: within CLEANUP_PREFIXES or CLEANUP_DIRS.")]
PatternOption = Annotated[str | None, typer.Option(help="A glob for the names of temp_files.")]
DeleteOption = Annotated[bool, typer.Option("--delete", help="Delete it, after you have confirmed it.")]


class _NoJob:
    """What `cleanup` asks of a run."""

    def remaining(self) -> float:
        return math.inf

    async def progress(self, value: object) -> None:
        pass


@app.command(help=__doc__)
def main(  # noqa: PLR0913 -- a command line
    target: TargetArgument,
    *,
    older: AgeOption,
    path: PathOption = None,
    pattern: PatternOption = None,
    delete: DeleteOption = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Look, ask, delete."""
    given = {"targetType": target, "olderThan": round(older * 1000), "path": path, "pattern": pattern, "dryRun": True}
    try:
        payload = CleanupPayload.model_validate(given)
        found = asyncio.run(_work(payload))
        if delete and found.matched:
            terminal.confirm(f"Delete {found.matched} {'or more ' if found.truncated else ''}for good?", yes=yes)
            found = asyncio.run(_work(payload.model_copy(update={"dry_run": False})))
    except ValidationError as error:
        terminal.end(faults(error), USAGE)
    except (ConfigurationError, StorageUnavailableError) as error:
        terminal.end(str(error), NOT_FIT)
    except PermanentError as error:
        terminal.end(str(error), USAGE)
    except SnoozeError as error:
        terminal.end(str(error), AWAY)
    except TransientError as error:
        terminal.end(str(error), IN_PART)
    _tell(found, as_json=as_json)


async def _work(payload: CleanupPayload) -> CleanupResult:
    settings, database, objects = _settings()
    if lines := missing(settings, database, objects):
        raise ConfigurationError(*lines)
    storage = Storage(database, objects)
    try:
        cleanup = Cleanup(cleanup_dependencies(settings, storage))
        if reasons := await storage.connect():
            raise SnoozeError("\n".join(reasons), 0.0)
        return await cleanup(payload, cast("Context", _NoJob()))
    finally:
        await storage.close()


def _settings() -> tuple[MaintenanceSettings, DatabaseSettings | None, ObjectsSettings | None]:
    """Those of the servers only where they are set."""
    reading = Reading()
    settings = reading.read(MaintenanceSettings)
    database = reading.read(DatabaseSettings) if is_configured([DatabaseSettings]) else None
    objects = reading.read(ObjectsSettings) if is_configured([ObjectsSettings]) else None
    reading.end()
    return cast("MaintenanceSettings", settings), database, objects


def _tell(found: CleanupResult, *, as_json: bool) -> None:
    if as_json:
        terminal.print_json(found.model_dump(by_alias=True))
        return
    for sample in found.samples:
        out.print(terminal.printable(sample), markup=False)
    more = ", and there is more" if found.truncated else ""
    out.print(f"found: {found.matched}{more}, bytes: {found.bytes}, deleted: {found.deleted}")
    if found.matched and found.dry_run:
        out.print("Nothing was deleted: add --delete.")


if __name__ == "__main__":
    app()
