"""PUSH_SUBSCRIPTION_COLUMNS, and which columns a table of subscriptions must have."""

from __future__ import annotations

import pytest

from storage.columns import all_columns, parse_columns

USUAL = ["id", "user_id", "endpoint", "p256dh", "auth"]


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("", {}),
        ("userId=user_id", {"user_id": "user_id"}),
        (" userId = user_id , expirationTime=expires , ", {"user_id": "user_id", "expiration_time": "expires"}),
        ("id=endpoint,keys=keys,active=is active", {"id": "endpoint", "keys": "keys", "active": "is active"}),
    ],
)
def test_pairs(text: str, columns: dict[str, str]) -> None:
    """The model's fields, and the app's names for them."""
    assert columns == parse_columns(text)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("userId", "not a list of name=column pairs"),
        ("userId=", "not a list of name=column pairs"),
        ("user_id=user_id", "'user_id' is no name, or there twice; .* the names are id, userId, endpoint, p256dh"),
        ("userId=a,userId=b", "'userId' is no name, or there twice"),
        ("active=a,disabledAt=b", "more than one of active, disabled and disabledAt"),
    ],
)
def test_a_malformed_list_is_refused(text: str, fault: str) -> None:
    """The reason shows the right form."""
    with pytest.raises(ValueError, match=rf"^{fault}"):
        parse_columns(text)


@pytest.mark.parametrize(
    ("given", "required"),
    [
        ("", USUAL),
        ("userId=user_id,expirationTime=expires", [*USUAL, "expiration_time"]),
        ("keys=k", ["id", "user_id", "endpoint", "keys"]),
        ("subscription=s", ["id", "user_id", "subscription"]),
        ("subscription=s,endpoint=e", ["id", "user_id", "endpoint", "subscription"]),
        ("active=on", [*USUAL, "active"]),
    ],
)
def test_required_columns(given: str, required: list[str]) -> None:
    """Those that were named, and those that are not read from JSON."""
    columns, needed = all_columns(parse_columns(given))

    assert required == needed
    assert set(needed) <= set(columns)
