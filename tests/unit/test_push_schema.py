"""The JSON Schemas of the push jobs agree with the validators, in the wire's camelCase."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from processors.push.batch import PushBatch
from processors.push.delivery import Kind
from processors.push.payload import BatchPayload, FollowUpPayload, Push, PushPayload, follow_up_data
from processors.push.processor import PushFollowUp, PushNotification
from processors.push.result import PushResult
from tests.support.fakes import FakeContext
from tests.support.push_fakes import FakeSender, FakeSubscriptions, make_dependencies

PAYLOADS: tuple[type[Push], ...] = (PushPayload, BatchPayload)
SCHEMAS: dict[type[Push], Draft202012Validator] = {
    model: Draft202012Validator(model.model_json_schema()) for model in (PushPayload, BatchPayload, FollowUpPayload)
}

NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(0, 10).map(float)
DIGITS = st.from_regex(r"\A\s?[+-]?[0-9_]{1,9}(\.0+)?\s?\Z")
WORDS = st.sampled_from(["true", "FALSE", "Yes", "no", "on", "off", "t", "0", "high", "very-low", "drop", "", "\ud83d"])
TIMES = st.integers(10**11 - 5, 10**14 + 5) | st.datetimes().map(lambda at: f"{at.isoformat()}Z")
SCALARS = st.none() | st.booleans() | NUMBERS | DIGITS | WORDS | TIMES | st.text(max_size=5)
ODD = st.one_of(SCALARS, st.lists(SCALARS, max_size=2), st.dictionaries(st.text(max_size=3), SCALARS, max_size=2))


SHOWN = "title body url icon badge image tag data silent requireInteraction mutable app_badge actions more"
PATHS = [
    *(
        (name,)
        for name in [
            "userId",
            "userIds",
            "all",
            "payload",
            "options",
            "ttl",
            "TTL",
            "topic",
            "notBefore",
            "traceId",
        ]
    ),
    *(("options", name) for name in ["ttl", "TTL", "urgency", "topic", "notBefore", "expiresAt", "cancelKey", "where"]),
    ("options", "type"),
    ("options", "quiet"),
    ("options", "excludeEndpoint"),
    ("options", "where", "plan"),
    *(("payload", name) for name in SHOWN.split()),
    *(("payload", "actions", 0, name) for name in ("action", "title", "icon")),
    *(("payload", "notification", name) for name in SHOWN.split()),
    ("payload", "web_push"),
    ("payloads",),
    *(("payloads", name) for name in ("de", "pt-BR", "x y")),
]
ACTIONS = [{"action": "a", "title": "t"}]
BASES: list[dict[str, Any]] = [
    {"userId": 1, "payload": {"title": "t", "actions": ACTIONS}, "options": {"where": {"plan": 1}}},
    {"userId": 1, "payload": {"web_push": 8030, "notification": {"title": "t"}}},
    {"userIds": [1], "payload": {"title": "t"}, "payloads": {"de": {"title": "t"}}},
    {"all": True, "payload": {"title": "t"}},
]


def change(push: Any, path: tuple[Any, ...], value: Any) -> None:
    """Set the value at a path, if the path exists."""
    *before, last = path
    for step in before:
        is_there = (isinstance(push, dict) and step in push) or (isinstance(push, list) and push and step == 0)
        push = push[step] if is_there else None
    if isinstance(push, dict):
        push[last] = value


@given(
    st.sampled_from(BASES).map(copy.deepcopy),
    st.lists(st.tuples(st.sampled_from(PATHS), ODD), min_size=1, max_size=3),
    st.booleans(),
)
def test_whatever_is_accepted_is_valid_by_the_schema(
    push: dict[str, Any], changes: list[tuple[tuple[Any, ...], Any]], as_text: bool
) -> None:
    """A client made from the schema refuses nothing that a job may have."""
    for path, value in changes:
        change(push, path, value)
    if as_text:
        push["payload"] = json.dumps(push["payload"])
    for model in PAYLOADS:
        try:
            model.model_validate(push)
        except ValidationError:
            continue
        assert [] == list(map(str, SCHEMAS[model].iter_errors(push)))


ACCEPTED: list[dict[str, Any]] = [
    {"userId": 7, "payload": {"title": 5}},
    {"userId": "7", "payload": '{"title":"t"}'},
    {"userId": 1.5, "payload": {"web_push": 8030, "notification": {"title": "t", "navigate": "/"}}},
    {"userId": "a", "payload": {"title": "t"}, "options": None},
    {"userId": "a", "payload": {"title": "t"}, "options": {"TTL": "60", "urgency": None, "topic": 7}},
    {"userId": "a", "payload": {"title": "t"}, "TTL": 0, "urgency": "high", "traceId": "x"},
    {"userId": "a", "payload": {"title": "t"}, "options": {"notBefore": "2027-01-15T08:00:00Z", "ttl": 60.0}},
    {"userId": "a", "payload": {"title": "t"}, "options": {"expiresAt": 1_800_000_000_000}},
    {"userId": "a", "payload": {"title": "t"}, "options": {"where": {"isActive": True, "plan": ["a", None, 1]}}},
    {"userId": "a", "payload": {"title": "t"}, "options": {"where": None, "excludeEndpoint": "https://push.test/1"}},
    {"userId": "a", "payload": {"title": "t", "badge": 3, "app_badge": "4", "silent": 1, "custom": {"x": [1]}}},
    {"userId": "a", "payload": {"title": "t", "actions": [{"action": 1, "title": 2, "icon": None}]}},
]


@pytest.mark.parametrize("push", ACCEPTED, ids=json.dumps)
def test_the_documented_forms_are_valid(push: dict[str, Any]) -> None:
    """For one user and for many."""
    many = {key: value for key, value in push.items() if key != "userId"}
    for model, data in ((PushPayload, push), (BatchPayload, many | {"userIds": [1, "b"], "all": None})):
        model.model_validate(data)
        SCHEMAS[model].validate(data)


REFUSED: list[dict[str, Any]] = [
    {"payload": {"title": "t"}},
    {"userId": "", "payload": {"title": "t"}},
    {"userId": True, "payload": {"title": "t"}},
    {"userId": ["a"], "payload": {"title": "t"}},
    {"userId": "a"},
    {"userId": "a", "payload": {"body": "b"}},
    {"userId": "a", "payload": {"web_push": 8030, "notification": {"body": "b"}}},
    {"userId": "a", "payload": {"title": "t", "actions": [{"title": "x"}]}},
    {"userId": "a", "payload": {"title": "t", "app_badge": -1}},
    {"userId": "a", "payload": {"title": "t"}, "options": {"ttl": "soon"}},
    {"userId": "a", "payload": {"title": "t"}, "options": {"TTl": 60}},
    {"userId": "a", "payload": {"title": "t"}, "options": {"urgency": "highest"}},
    {"userId": "a", "payload": {"title": "t"}, "options": {"expiresAt": 1_800_000_000}},
]


@pytest.mark.parametrize("push", REFUSED, ids=json.dumps)
def test_plainly_wrong_payloads_are_invalid(push: dict[str, Any]) -> None:
    """The schema does not accept just anything."""
    with pytest.raises(ValidationError):
        PushPayload.model_validate(push)
    assert not SCHEMAS[PushPayload].is_valid(push)


def test_a_follow_up_is_valid() -> None:
    """As the worker writes it."""
    push = PushPayload.model_validate(ACCEPTED[1])
    data = follow_up_data(push, ["s1"], attempt=2, of="j1", by="j0", deadline=1_800_000_000.25)

    SCHEMAS[FollowUpPayload].validate(json.loads(json.dumps(data)))


RESULT = (
    '{"sent":1,"failed":0,"pruned":1,"retrying":0,"skipped":0,"expired":0,"muted":0,"waiting":0,'
    '"total":2,"collapsed":null,"cancelled":false,"followUps":[],"ignored":["x"],'
    '"origins":{"https://push.test":{"sent":1,"gone":1}}}'
)


@pytest.mark.parametrize(
    ("processor", "payload"),
    [
        (PushNotification, PushPayload.model_validate({"userId": 1, "payload": {"title": "t"}, "x": 1})),
        (PushBatch, BatchPayload.model_validate({"all": True, "payload": {"title": "t"}, "x": 1})),
        (
            PushFollowUp,
            FollowUpPayload.model_validate(
                {"payload": {"title": "t"}, "x": 1, "attempt": 2, "followUpOf": "1"}
                | {"subscriptionIds": ["000000", "000001"]}
            ),
        ),
    ],
)
async def test_each_job_returns_the_same_result_model(processor: Any, payload: Any) -> None:
    """Its JSON is what apps read, and valid by the model's schema."""
    dependencies = make_dependencies(FakeSubscriptions(2), FakeSender({1: Kind.GONE}))

    result = await processor(dependencies)(payload, FakeContext())

    assert RESULT == result.model_dump_json(by_alias=True)
    Draft202012Validator(PushResult.model_json_schema(mode="serialization")).validate(json.loads(RESULT))
