"""PUSH_SUBSCRIPTION_COLUMNS: the app's names for the columns of its subscriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from storage.models import PushSubscription
from storage.tables import Wanted

if TYPE_CHECKING:
    from collections.abc import Mapping

FIELDS = {info.alias or field: field for field, info in PushSubscription.model_fields.items()}
SWITCHES = ("active", "disabled", "disabled_at")
# The fields that are read from JSON and so need no column of their own.
WITHIN = {
    "keys": ("p256dh", "auth"),
    "subscription": ("endpoint", "p256dh", "auth", "expiration_time"),
}
_LOOKS = "it looks like userId=user_id,keys=keys"


def parse_columns(text: str) -> dict[str, str]:
    """Parse comma-separated pairs `name=column` into {model field: app's column}. Raises ValueError."""
    columns: dict[str, str] = {}
    for pair in filter(None, map(str.strip, text.split(","))):
        name, equals, column = map(str.strip, pair.partition("="))
        if not equals or not column:
            msg = f"not a list of name=column pairs; {_LOOKS}"
            raise ValueError(msg)
        if name not in FIELDS or FIELDS[name] in columns:
            msg = f"{name!r} is no name, or there twice; {_LOOKS}, and the names are {', '.join(FIELDS)}"
            raise ValueError(msg)
        columns[FIELDS[name]] = column
    if sum(field in columns for field in SWITCHES) > 1:
        msg = "more than one of active, disabled and disabledAt; a row is switched off by one column"
        raise ValueError(msg)
    return columns


def all_columns(given: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """All columns to look for, by field, and the fields whose columns are required.

    JSON and the switch are looked for only if `given` names their column. A field that JSON has is not read from a
    column of its own, unless `given` names that, too.
    """
    within = {field for whole, fields in WITHIN.items() if whole in given for field in fields}
    usual = {field: name for name, field in FIELDS.items() if field not in {*WITHIN, *SWITCHES, *within}}
    needed = {field for field, info in PushSubscription.model_fields.items() if info.is_required()}
    columns = {**usual, **given}
    return columns, [field for field in FIELDS.values() if field in given or (field in needed and field in columns)]


def subscription_table(name: str, columns: str) -> Wanted:
    """The table of the subscriptions: its name, and what PUSH_SUBSCRIPTION_COLUMNS says of its columns."""
    found, required = all_columns(parse_columns(columns))
    return Wanted(PushSubscription, name, found, required, "PUSH_SUBSCRIPTION_COLUMNS")
