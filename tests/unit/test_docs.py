"""The docs are true of the project: links, commands, variables, metrics and words of the log."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

import pytest
import typer
import yaml

from processors.features import FEATURES
from processors.sandbox.settings import PlatformSettings
from queue_lib.feature import jobs_of
from queue_lib.settings import env_name, queue_settings
from scripts import environment_table, module_map
from tests.support import typescript
from tests.support.docs import PAGES, PROJECT, Command, anchors, commands, parser, without_code
from tests.support.queues import QUEUES
from tests.support.requirements import PYTHONS

if TYPE_CHECKING:
    from pathlib import Path

FROM_LIBRARIES = {"WIRES: Input should be ..."}  # pydantic's words
# What differs from one reason to the next: values, variables, codes, numbers, and the names of what it speaks of.
DIFFERS = (
    r"\.\.\.|\(.*?\)|\b[A-Z_]+: |\d+|"
    r"\bSIG\b|\b(?:Get|Put)Object\b|\bstring\b|\bffmpeg$|^the (?:database|object store) "
)
FOLDERS = ("queue_lib", "processors", "storage", "scripts", "demo", "docs", "deploy", "embedded")
READERS = re.compile(
    r"processors/email/\w+\.py|jobs(?:/__init__)?\.py|heroku\.yml|package\.json"
)  # files of a reader's own
LONGEST = 120  # characters of a line
USAGE_ERROR = typer.BadParameter.__mro__[1]
COMMANDS = commands()
OF_SCRIPTS = [command for command in COMMANDS if command.script]
SCRIPTS = {path.stem for path in (PROJECT / "scripts").glob("*.py")} - {"__init__", "by_reason", "terminal"}
RUNBOOK = PROJECT / "docs" / "operations" / "README.md"
OF_THE_PLATFORM = {name.upper() for name in PlatformSettings.model_fields}
VARIABLES = set(re.findall(r"^\| `(\w+)` ", environment_table.table(), re.MULTILINE)) | OF_THE_PLATFORM
SECOND_NAMES = {
    f"{name}_WORKER_CONCURRENCY" for queue in QUEUES for name in (env_name(queue), env_name(queue).removesuffix("S"))
}
# Variables of others: boto3's, Sentry's, Next.js's, and those of the app's own side.
FOREIGN = re.compile(
    r"QUEUE_(?:CONCURRENCY|REMOVE_ON_\w+)|EMAIL_FROM|"  # of other queue systems
    r"AWS_\w+|SENTRY_(?:ENVIRONMENT|RELEASE)|NEXT_PUBLIC_\w+|NODE_ENV|PUSHMILL_(?:TOKEN|URL)|SSL_CERT_FILE|SEARCH_TEST_\w+"
)
# Beginnings of a queue's variables, names of jobs, and what modules of JOBS have.
WORDS = {*map(env_name, QUEUES), *(job.name for job in jobs_of(FEATURES)), "CACHE_SOURCES"}


def by_page(path: Path) -> str:
    """The name of a page's test case."""
    return str(path.relative_to(PROJECT))


@pytest.mark.parametrize("page", PAGES, ids=by_page)
def test_links_lead_somewhere(page: Path) -> None:
    """File and heading exist."""
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", without_code(page.read_text())):
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file.read_text()), target


@pytest.mark.parametrize("page", PAGES, ids=by_page)
def test_files_that_a_page_names_are_there(page: Path) -> None:
    """By their path, or by its end; files that the reader is to write are exempt."""
    named = re.findall(r"`([\w./-]+\.(?:py|md|ya?ml|json|toml|sql|service))`", without_code(page.read_text()))
    files = [path for folder in FOLDERS for path in (PROJECT / folder).rglob("*") if path.is_file()]

    assert [] == [
        name
        for name in set(named)
        if not (READERS.fullmatch(name) or (PROJECT / name).exists() or any(path.match(name) for path in files))
    ]


@pytest.mark.parametrize("command", OF_SCRIPTS, ids=str)
def test_a_command_is_one_that_its_script_takes(command: Command) -> None:
    """With its options and arguments, as written."""
    assert command.script is not None
    parse(command.script, parser(command.script), list(command.words[3:]))


def parse(name: str, line: Any, words: list[str]) -> None:
    """Raises UsageError for words that the command line does not take; a page may leave all of them out."""
    for command in lines(line)[1:]:
        if words[:1] == [command.name]:
            line, words = command, words[1:]
    line.make_context(name, words, resilient_parsing=not words)


@pytest.mark.parametrize("words", [["--dry-rum"], ["x", "--older", "1h"], ["completed"], ["failed", "--older", "1"]])
def test_a_command_that_its_script_does_not_take_is_noticed(words: list[str]) -> None:
    """An unknown option, a wrong or missing argument, and a bad value."""
    with pytest.raises(USAGE_ERROR):
        parse("clean", parser("clean"), words)


def test_each_block_of_typescript_is_a_file() -> None:
    """It begins with its path, which is unique, except for a block that says what to replace."""
    paths = [block.path for block in typescript.blocks() if block.instead_of is None]

    assert {"lib/queues.ts", "lib/pushmill.ts", "pushmill/jobs.ts"} <= set(paths)
    assert sorted(set(paths)) == sorted(paths)
    assert ["lib/pushmill.ts"] == list(typescript.variants())


def test_a_block_of_typescript_imports_files_of_the_docs() -> None:
    """Else the reader's build fails. `lib/jobs.ts` is what `python -m scripts.typescript_types` prints."""
    files = {path.rpartition(".")[0] for path in typescript.files()} | {"lib/jobs"}
    imports = {name for code in typescript.files().values() for name in re.findall(r'from "@/([^"]+)"', code)}

    assert "lib/pushmill" in imports
    assert imports <= files


def test_every_script_has_its_row() -> None:
    """And no row is for an unknown one."""
    rows = set(
        re.findall(r"^\| `python -m scripts\.(\w+)` \|", (PROJECT / "scripts" / "README.md").read_text(), re.MULTILINE)
    )

    assert rows == SCRIPTS


@pytest.mark.parametrize("page", PAGES, ids=by_page)
def test_options_are_those_of_a_script(page: Path) -> None:
    """Each option in a page belongs to some script, or to another program in a command of the page."""
    known = {option for script in SCRIPTS for line in lines(parser(script)) for option in options(line)}
    known |= {word for command in COMMANDS if not command.script for word in command.words}
    found = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", without_code(page.read_text())))

    assert found <= known | {"--all", "--help"}


def lines(line: Any) -> list[Any]:
    """A command line, and those of its subcommands."""
    return [line, *getattr(line, "commands", {}).values()]


def options(line: Any) -> list[str]:
    """The options of a command line."""
    return [option for parameter in line.params for option in parameter.opts]


def test_make_targets_and_python_files_exist() -> None:
    """Those that the docs name."""
    targets = set(re.findall(r"^(\w+):", (PROJECT / "Makefile").read_text(), re.MULTILINE))
    made = [command for command in COMMANDS if command.words[0] == "make"]
    run = [command for command in COMMANDS if command.words[0] == "python" and not command.script]

    assert len(made) > 2
    assert {command.words[1] for command in made} <= targets
    assert len(run) > 1
    assert all((PROJECT / command.words[1]).is_file() for command in run)


def test_make_help_lists_every_target() -> None:
    """A target has its sentence behind `##`, which `make help` prints."""
    makefile = (PROJECT / "Makefile").read_text()
    [phony] = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)

    assert sorted(phony.split()) == sorted(re.findall(r"^([a-z]+):.*## [A-Z]", makefile, re.MULTILINE))


def test_ci_runs_every_python() -> None:
    """The workflow has the Python versions that the requirements files are compiled for, and Node 20 to 26."""
    workflow = yaml.safe_load((PROJECT / ".github" / "workflows" / "ci.yml").read_text())
    jobs = workflow["jobs"]["test"]["strategy"]["matrix"]["include"]

    assert {version.rpartition(".")[0] for version in PYTHONS} == {job["python"] for job in jobs}
    assert {"20", "22", "24", "26"} == {job["node"] for job in jobs}


@pytest.mark.parametrize("page", PAGES, ids=by_page)
def test_lines_are_not_too_long(page: Path) -> None:
    """At most 120 characters, except rows of tables and a link that can't be broken."""
    lines = without_code(page.read_text()).splitlines()

    assert [] == [line for line in lines if len(line) > LONGEST and not line.startswith(("|", "["))]


@pytest.mark.parametrize("page", PAGES, ids=by_page)
def test_variables_are_those_of_the_settings(page: Path) -> None:
    """`<QUEUE>_RATE_MAX` is a variable of every queue, and `_RATE_MAX` its end."""
    text = re.sub(r"<QUEUE>(?=_)", "PUSH_NOTIFICATIONS", without_code(page.read_text()))
    found = set(re.findall(r"`(_?[A-Z][A-Z0-9]*_[A-Z0-9_]*[A-Z0-9])(?=[`=: ])", text))
    ends = {name for name in found if name.startswith("_")}

    assert set() == {name for name in found - ends - VARIABLES - SECOND_NAMES - WORDS if not FOREIGN.fullmatch(name)}
    assert all(any(name.endswith(end) for name in VARIABLES | SECOND_NAMES) for end in ends)


def test_the_design_has_all_settings() -> None:
    """Those of a queue by their ends."""
    text = (PROJECT / "docs" / "design.md").read_text()
    section = text[text.index("## Settings") : text.index("## Layout")]
    of_queues = {f"{env_name(queue)}_{end.upper()}" for queue in QUEUES for end in queue_settings(queue).model_fields}
    own = VARIABLES - of_queues

    assert set() == {name for name in own - OF_THE_PLATFORM if f"`{name}`" not in section}


@pytest.mark.parametrize("page", PAGES, ids=by_page)
def test_metrics_are_those_of_the_runbook(page: Path) -> None:
    """Another test holds that its table has all metrics."""
    rows = set(re.findall(r"^\| `(pushmill_\w+)` \|", RUNBOOK.read_text(), re.MULTILINE))
    found = set(re.findall(r"\bpushmill_[a-z_]+[a-z]", page.read_text()))

    assert set() == {name for name in found if not any(row.startswith(name) or name.startswith(row) for row in rows)}


def test_words_of_the_log_are_written_somewhere() -> None:
    """Each row of the runbook is for a line that the code can write."""
    [table] = re.findall(r"## What a line means\n(.*?)\n## ", RUNBOOK.read_text(), re.DOTALL)
    rows = {
        word for cell in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE) for word in re.findall(r"`(\w+)`", cell)
    }
    code = "".join(path.read_text() for path in sources())

    assert len(rows) > 40
    assert [] == sorted(word for word in rows if f'"{word}"' not in code)


@pytest.mark.slow
def test_reasons_are_those_of_the_code() -> None:
    """The fixed words of each reason in the runbook are in a text that the code can write."""
    text = RUNBOOK.read_text().partition("## What a line means")[0]
    code = "\n".join(map(written, sources()))

    assert [] == [words for reason in reasons(text) for words in fixed(reason) if words not in code]


def sources() -> list[Path]:
    """The Python of the worker and the web process."""
    folders = ("queue_lib", "processors", "storage")
    return [*PROJECT.glob("*.py"), *(path for folder in folders for path in (PROJECT / folder).rglob("*.py"))]


def written(path: Path) -> str:
    """The texts of a Python file, with a NUL in place of each value."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Constant(value=str(text)):
                found.append(text)
            case ast.JoinedStr():
                found.append(
                    "".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values)
                )
    return "\n".join(found)


def reasons(page: str) -> list[str]:
    """Texts that stand, alone and as code, in the first cells of the tables."""
    cells = re.findall(r"^\| (`[^|]+`) \|", page, re.MULTILINE)
    return [reason for cell in cells for reason in re.findall(r"`([^`]+)`", cell)]


def fixed(reason: str) -> list[str]:
    """Its words between the values."""
    if reason in FROM_LIBRARIES:
        return []
    return [words.strip(" :") for words in re.split(DIFFERS, reason) if len(words.strip(" :")) > len("and")]


def test_no_reason_has_two_remedies() -> None:
    """Each reason in the runbook stands in one row of a table."""
    explained = reasons(RUNBOOK.read_text())

    assert sorted(explained) == sorted(set(explained))


@pytest.mark.slow
def test_the_map_is_that_of_the_modules() -> None:
    """docs/map.md is made of their docstrings; `python -m scripts.module_map --write` writes it."""
    assert module_map.PAGE.read_text() == module_map.page()
