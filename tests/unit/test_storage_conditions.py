"""Columns by which jobs may choose rows: the setting, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Boolean, Column, Double, Integer, MetaData, Table, Text

from storage.conditions import Conditions, parse_where
from storage.errors import ConditionRefusedError, SchemaError

TABLE = Table(
    "PushSubscription",
    MetaData(),
    Column("on", Boolean),
    Column("plan", Text),
    Column("level", Integer),
    Column("score", Double),
)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("", {}),
        ("plan", {"plan": "plan"}),
        (" isActive = is_active , plan, ", {"isActive": "is_active", "plan": "plan"}),
    ],
    ids=["none", "one", "another-name"],
)
def test_columns_by_the_names_of_jobs(text: str, columns: dict[str, str]) -> None:
    """A column has its own name, unless the setting gives it another one."""
    assert columns == parse_where(text)


@pytest.mark.parametrize("text", ["=plan", "plan=", "plan,plan", "plan=a,plan=b"])
def test_a_malformed_list_is_refused(text: str) -> None:
    """The reason shows the right form."""
    with pytest.raises(ValueError, match="looks like isActive,plan or isActive=is_active"):
        parse_where(text)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("id", 1, "'id' is no column that a job may choose by; PUSH_WHERE_COLUMNS has active, plan, level, score"),
        ("on", True, "'on' is no column that a job may choose by"),
        ("active", "yes", "the column of 'active' has true or false, and the job asks for something else"),
        ("active", 2, "has true or false"),
        ("plan", True, "the column of 'plan' has text"),
        ("level", "much", "the column of 'level' has whole numbers"),
        ("score", "much", "the column of 'score' has numbers"),
    ],
    ids=["unknown", "own-name", "word", "two", "boolean-for-text", "text-for-integer", "text-for-number"],
)
def test_other_columns_and_values_are_refused(name: str, value: Any, reason: str) -> None:
    """A typing error must not look like a user without devices. No value is in the reason."""
    conditions = Conditions(TABLE, parse_where("active=on,plan,level,score"))

    with pytest.raises(ConditionRefusedError) as caught:
        conditions.of(name, [value])

    assert reason in str(caught.value)


def test_without_the_setting_no_column_may_be_used() -> None:
    """The reason says what to set."""
    with pytest.raises(ConditionRefusedError, match=r"PUSH_WHERE_COLUMNS has none; name there the columns"):
        Conditions(TABLE, {}).of("plan", ["pro"])


def test_a_column_that_is_not_there_is_told_at_the_start() -> None:
    """Not by the first job that asks for it."""
    with pytest.raises(SchemaError, match=r'^PUSH_WHERE_COLUMNS: table "PushSubscription" has no column "plam"$'):
        Conditions(TABLE, {"plan": "plam"})
