"""Make the README's table of environment variables from the settings classes.

`python -m scripts.environment_table` prints it; `--write` puts it into README.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from processors.media.settings import SEEN_BY_CHILDREN, MediaSettings
from processors.push.settings import PushSettings
from queue_lib.queues import QUEUES
from queue_lib.settings import WorkerSettings, queue_settings
from queue_lib.web.settings import ApiSettings
from storage.settings import StorageSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo
    from pydantic_settings import BaseSettings

README = Path(__file__).resolve().parents[1] / "README.md"
BEGIN, END = "<!-- environment table: begin -->\n", "<!-- environment table: end -->\n"
HEAD = "| variable | default | meaning |\n|---|---|---|\n"
MODELS: tuple[type[BaseSettings], ...] = (
    WorkerSettings,
    StorageSettings,
    PushSettings,
    MediaSettings,
    ApiSettings,
    *(queue_settings(queue) for queue in QUEUES),
)

WriteOption = Annotated[bool, typer.Option("--write", help="Write the table into README.md.")]

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def table() -> str:
    """The whole table, in Markdown."""
    return HEAD + "".join(line for model in MODELS for line in lines(model))


def lines(model: type[BaseSettings]) -> Iterator[str]:
    """One row of the table for each variable of a settings class."""
    prefix = str(model.model_config.get("env_prefix", ""))
    for name, field in model.model_fields.items():
        if name in SEEN_BY_CHILDREN:  # the platform's, and nothing to set
            continue
        meaning = (field.description or "").replace("|", "\\|")
        yield f"| `{(prefix + name).upper()}` | {_default(field)} | {meaning} |\n"


def _default(field: FieldInfo) -> str:
    if field.is_required() or field.validate_default:  # a default that is checked is one that is refused
        return "required"
    text = _text(field.default)
    return f"`{text}`" if text else "none"


def _text(value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(int(value))
        case float():
            return f"{value:g}"
        case tuple():
            return ",".join(map(str, value))
        case _:
            return str(value)


def replaced(text: str) -> str:
    """The README's text with the table of today in it."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + table() + END + after


@app.command(help=__doc__)
def main(*, write: WriteOption = False) -> None:
    """Print the table, or write it."""
    if write:
        README.write_text(replaced(README.read_text()))
    else:
        print(table(), end="")


if __name__ == "__main__":
    app()
