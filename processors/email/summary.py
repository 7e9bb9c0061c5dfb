"""The content of the one mail for several events. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic.alias_generators import to_camel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from processors.collapse import Collapse

CONTENTS = ("html", "body", "template")  # of which a mail has one
# What a collapse template may replace of the newest event.
FIELDS = ("subject", *CONTENTS, "variables", "text", "attachments", "headers", "unsubscribeUrl")


def summed_up(newest: Mapping[str, Any], collapse: Collapse, count: int) -> dict[str, Any]:
    """The data of a mail for so many events, of which the newest has this data.

    A new content replaces the old one and its text; variables are added to those that are there.
    """
    data = {to_camel(name): value for name, value in newest.items()}
    if count == 1:
        return data
    fields = collapse.fields(count, "subject")
    if fields.keys() & {*CONTENTS}:
        data = {name: value for name, value in data.items() if name not in {*CONTENTS, "text"}}
    if isinstance(fields.get("variables"), dict):
        fields["variables"] = {**(data.get("variables") or {}), **fields["variables"]}
    return data | fields
