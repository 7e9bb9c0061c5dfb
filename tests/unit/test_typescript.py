"""The types of the npm package: they are those of the models, and any model has one."""

from __future__ import annotations

import enum
from datetime import datetime  # noqa: TC003 -- pydantic reads it
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import ConfigDict, Field
from typer.testing import CliRunner

from queue_lib.processor import JobSchema, Model
from queue_lib.typescript import Types
from scripts import typescript_types

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from pydantic import BaseModel


def test_the_package_and_the_page_have_the_types_of_today() -> None:
    """`python -m scripts.typescript_types --write` puts them there."""
    text = typescript_types.PAGE.read_text()

    assert typescript_types.file() == typescript_types.PACKAGE.read_text()
    assert typescript_types.replaced(text) == text


def test_jobs_that_only_the_worker_adds_are_left_out() -> None:
    """Producers have no type for them."""
    assert {"push-notification", "process-file"} <= typescript_types.types().jobs.keys()
    assert "push-follow-up" not in typescript_types.file()


def test_only_notifications_take_fields_of_any_name() -> None:
    """Elsewhere a name that is misspelt is an error of the compiler."""
    declarations = typescript_types.types().declarations().split("export ")

    loose = {declaration.split()[1] for declaration in declarations if "[more: string]" in declaration}
    assert {"Notification", "DeclarativeNotification"} == loose


def declared(payload: type[BaseModel], result: type[BaseModel] | None = None, *, is_page: bool = False) -> str:
    """The declarations for a job with these models."""
    return Types([JobSchema("a-job", "a-queue", payload, result)], is_page=is_page).declarations()


class Colour(enum.StrEnum):
    """What it looks like."""

    RED = "red"
    BLUE = "blue"


class Line(Model):
    """One line.

    Lines have lines.
    """

    text: str
    lines: tuple[Line, ...] = ()


class Base(Model):
    """What all have."""

    user_id: str


Size = Annotated[Literal["small", "large"], Field(title="Size")]


class Order(Base):
    """An order */ of a user."""

    order_id: str = Field(description="as the shop\nwrites it")
    copies: Annotated[int, Field(ge=1, le=2000)] = 1
    note: str | None = None
    limit: int | None = 5
    at: datetime
    colour: Colour = Colour.RED
    size: Size = "small"
    sizes: Annotated[tuple[Size, ...], Field(max_length=3)] = ()
    line: Line
    pair: tuple[int, str]
    more: Any = None
    counts: dict[str, int | None] = Field(default_factory=dict)
    by_size: dict[Literal["small", "large"], str] = Field(default_factory=dict)
    odd: int = Field(alias="odd-name")
    old: bool = Field(default=False, deprecated=True)


ORDER = """\
/** What all have. */
export interface Base {
  userId: string;
}

/** An order * / of a user. */
export interface Order extends Base {
  /** as the shop writes it */
  orderId: string;
  /** 1 to 2,000; default 1 */
  copies?: number;
  note?: string;
  /** default 5 */
  limit?: number | null;
  /** an ISO date and time */
  at: string;
  /** default "red" */
  colour?: Colour;
  /** default "small" */
  size?: Size;
  /** at most 3 of them */
  sizes?: Size[];
  line: Line;
  pair: [number, string];
  more?: unknown;
  counts?: Record<string, number | null>;
  bySize?: Partial<Record<"small" | "large", string>>;
  "odd-name": number;
  /** @deprecated */
  old?: boolean;
}

/** What it looks like. */
export type Colour = "red" | "blue";

export type Size = "small" | "large";

/** One line. */
export interface Line {
  text: string;
  lines?: Line[];
}
"""


def test_a_payload_has_what_producers_write() -> None:
    """Optional fields, ISO dates, names for enumerations and for literals with a title; no null that says nothing."""
    assert ORDER == declared(Order)


class Receipt(Model):
    """What became of it."""

    sent: int = 0
    last: datetime | None = None


RECEIPT = """\
// What became of it.
export interface Receipt {
  sent: number;
  last: string | null; // an ISO date and time
}
"""


def test_a_result_has_all_its_fields() -> None:
    """Whether the model has defaults or not. On a page comments stand at the ends of lines."""
    assert declared(Order, Receipt, is_page=True).endswith(RECEIPT)


def test_a_model_that_goes_in_and_comes_out_has_two_types() -> None:
    """They differ in what may be left out."""
    made = Types([JobSchema("a-job", "a-queue", Receipt, Receipt)])

    assert {"a-job": ("a-queue", "ReceiptInput", "ReceiptOutput")} == made.jobs


def _either(schema: dict[str, Any]) -> None:
    schema["anyOf"] = [{"required": ["ids"]}, {"required": ["all"]}]


class Choice(Base):
    model_config = ConfigDict(json_schema_extra=_either)

    ids: list[int] | None = None
    all: Literal[True] | None = None


CHOICE = """\
export type Choice = Base & (
  | {
      ids: number[];
      all?: never;
    }
  | {
      all: true;
      ids?: never;
    }
);
"""


def test_one_of_two_fields_is_a_union() -> None:
    """Neither and both are errors of the compiler."""
    assert declared(Choice).endswith(CHOICE)


class Anything:
    """A class that is no JSON."""


class Odd(Model):
    model_config = ConfigDict(arbitrary_types_allowed=True, extra="allow")

    anything: Anything


def test_what_is_no_json_is_unknown() -> None:
    """A model with such a field still has a type; so has one that takes all names."""
    expected = "export interface Odd {\n  anything: unknown;\n  [more: string]: unknown;\n}\n"

    assert expected == declared(Odd)


JOBS = """
from queue_lib.jobs import Job, Model, Queue


class Variant(Model):
    text: str


class Sent(Model):
    number: int


class Send(Job[Variant]):
    name = "send"
    queue = "letters"
    result = Sent

    async def handle(self, payload, context):
        return Sent(number=1)


class Ask(Job[Variant]):
    name = "ask"
    queue = "push-notifications"

    async def handle(self, payload, context):
        pass


QUEUES = (Queue(name="letters"),)
JOBS = (Send, Ask)
"""

OWN = """\
/* eslint-disable */
// Generated from the jobs of letters_of_ours: `JOBS=letters_of_ours python -m scripts.typescript_types`.

export interface Variant {
  text: string;
}

export interface Sent {
  number: number;
}

export interface OwnJobs {
  "send": { queue: "letters"; payload: Variant; result: Sent };
  "ask": { queue: "push-notifications"; payload: Variant; result: unknown };
}

declare module "pushmill" {
  interface Jobs extends OwnJobs {}
}

/** The queue of each job, for the option `queues` of `pushmill/bullmq`. */
export const OWN_QUEUES = {
  "send": "letters",
  "ask": "push-notifications",
} as const;
"""


def test_a_team_gets_a_file_for_its_own_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`JOBS` says which. A result that is not declared is unknown."""
    (tmp_path / "letters_of_ours.py").write_text(JOBS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("JOBS", "letters_of_ours")

    said = CliRunner().invoke(typescript_types.app)

    assert (OWN, 0) == (said.stdout, said.exit_code)


def test_a_module_that_is_not_there_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line."""
    monkeypatch.setenv("JOBS", "nothere")

    said = CliRunner().invoke(typescript_types.app)

    assert ("JOBS: nothere: No module named 'nothere'\n", 1) == (said.stderr, said.exit_code)
