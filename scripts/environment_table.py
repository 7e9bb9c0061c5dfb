"""Make the README's tables of environment variables from the settings classes, feature by feature.

`python -m scripts.environment_table` prints them; `--write` puts them into README.md.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from processors.features import FEATURES
from queue_lib.settings import JobsSettings, QueueChoice, WorkerSettings, is_required, queue_settings
from queue_lib.web.settings import ApiSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic.fields import FieldInfo
    from pydantic_settings import BaseSettings

README = Path(__file__).resolve().parents[1] / "README.md"
BEGIN, END = "<!-- environment table: begin -->\n", "<!-- environment table: end -->\n"
HEAD = "| variable | default | meaning |\n|---|---|---|\n"
WriteOption = Annotated[bool, typer.Option("--write", help="Write the tables into README.md.")]

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def sections() -> Iterator[tuple[str, list[type[BaseSettings]]]]:
    """The settings classes by what they are for: a heading, and those below it."""
    yield "Worker", [WorkerSettings, QueueChoice, JobsSettings]
    yield "API and dashboard (`python web.py`)", [ApiSettings]
    count = Counter(model for feature in FEATURES for model in feature.settings)
    shared = [model for feature in FEATURES for model in feature.shared_settings]
    shared += [model for model in count if count[model] > 1]
    yield "All features", list(dict.fromkeys(model for model in shared if described(model)))
    for feature in FEATURES:
        own = [model for model in feature.settings if model not in shared]
        yield f"Feature `{feature.name}`", [*own, *map(queue_settings, feature.queues)]


def table() -> str:
    """All tables, in Markdown, each below its heading."""
    return "\n".join(f"### {heading}\n\n{HEAD}{_rows(models)}" for heading, models in sections())


def _rows(models: Iterable[type[BaseSettings]]) -> str:
    return "".join(line for model in models for line in lines(model))


def described(model: type[BaseSettings]) -> bool:
    """Whether there is something to set; what only the platform sets has no description."""
    return any(field.description for field in model.model_fields.values())


def lines(model: type[BaseSettings]) -> Iterator[str]:
    """One row of the table for each variable of a settings class."""
    prefix = str(model.model_config.get("env_prefix", ""))
    for name, field in model.model_fields.items():
        meaning = (field.description or "").replace("|", "\\|")
        yield f"| `{(prefix + name).upper()}` | {_default(field)} | {meaning} |\n"


def _default(field: FieldInfo) -> str:
    if is_required(field):
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
