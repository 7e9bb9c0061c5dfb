"""What the types of the npm package allow, the worker takes: values are made at random, as the types say."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from processors.features import FEATURES
from processors.lenient import DIGITS, MAX_TIME, MIN_TIME
from processors.storage_key import KEY_SCHEMA
from queue_lib.feature import jobs_of
from queue_lib.typescript import NEVER, NULL, Schemas
from tests.support.docs import commands

if TYPE_CHECKING:
    from queue_lib.processor import JobSchema

JOBS = {job.name: job for job in jobs_of(FEATURES)}
NAMES = [job.name for job in JOBS.values() if not job.internal]
# What a type can't say: where a URL leads, that a text is JSON, that two names are one option, what a mail must have,
# or what a template makes.
BEYOND_TYPES = (
    *("must be http, https or relative", "is a text that is no JSON", "ttl and TTL are one option"),
    *("control characters", "not one address", "have the same cid", "give one of them", "nothing to say", "subject:"),
    "collapse.template",
    "rebuild takes all rows",
    *("notify needs userId", "is compressed already", "is there twice"),
    *("that is not printable", "is no glob", "a view takes no params", "leave out path and pattern"),
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
ANY = st.none() | st.booleans() | st.integers() | TEXT | st.lists(st.integers(), max_size=2)
SEGMENTS = st.text("aB9 _-ü", min_size=1, max_size=9)
FORMATS = {"date-time": st.datetimes().map(lambda at: f"{at.isoformat()}Z"), "email": st.emails()}


@cache
def schema(name: str) -> dict[str, Any]:
    """The JSON Schema of which the type of this job's payload is made."""
    made: dict[str, Any] = JOBS[name].payload.model_json_schema(schema_generator=Schemas)
    return made


def values(of: dict[str, Any], defs: dict[str, Any]) -> st.SearchStrategy[Any]:
    """What a schema has in its type: no form that is `deprecated`, and no null where that says nothing."""
    if "$ref" in of:
        return st.deferred(lambda: values(defs[of["$ref"].split("/")[-1]], defs))
    if "properties" in of:
        return objects(of, defs)
    for key in ("anyOf", "oneOf"):
        if key in of:
            kept = [each for each in of[key] if not each.get("deprecated")]
            return st.one_of([values(each, defs) for each in kept])
    if "allOf" in of:
        return st.tuples(*(values(each, defs) for each in of["allOf"])).map(merged)
    return plain(of, defs)


def merged(parts: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    """All of an intersection."""
    return {key: value for part in parts for key, value in part.items()}


def objects(of: dict[str, Any], defs: dict[str, Any]) -> st.SearchStrategy[Any]:
    """With some of the optional properties, and one of the `required` lists of an `anyOf`.

    No type says how many properties there are at least: `minProperties` is kept here.
    """
    properties = {key: values(without_null(each), defs) for key, each in of["properties"].items()}
    alternatives = of.get("anyOf", [{"required": []}])
    choices = {key for each in alternatives for key in each["required"]}
    optional = {key: each for key, each in properties.items() if key not in choices}

    def one(alternative: dict[str, Any]) -> st.SearchStrategy[Any]:
        needed = {*of.get("required", ()), *alternative["required"]}
        never = {key for key, each in alternative.get("properties", {}).items() if each == NEVER}
        return st.fixed_dictionaries(
            {key: properties[key] for key in properties if key in needed},
            optional={key: each for key, each in optional.items() if key not in needed | never},
        )

    made, least = st.one_of([one(each) for each in alternatives]), of.get("minProperties", 0)
    return made.filter(lambda value: len(value) >= least) if least else made


def without_null(of: dict[str, Any]) -> dict[str, Any]:
    """A property that may be left out."""
    if of.get("default", ...) is not None or "anyOf" not in of:
        return of
    return {**of, "anyOf": [each for each in of["anyOf"] if each != NULL]}


def plain(of: dict[str, Any], defs: dict[str, Any]) -> st.SearchStrategy[Any]:
    """A value without alternatives."""
    if "const" in of or "enum" in of:
        return st.sampled_from(of.get("enum", [of.get("const")]))
    match of.get("type"):
        case "array":
            return st.lists(
                values(of["items"], defs), min_size=of.get("minItems", 0), max_size=min(3, of.get("maxItems", 3))
            )
        case "string":
            return strings(of)
        case "integer" | "number":
            return numbers(of)
        case "object":
            keys = strings({"pattern": ".*", **of.get("propertyNames", {})})
            more = of.get("additionalProperties", True)
            made = ANY if more is True else values(more, defs)
            return st.dictionaries(keys, made, min_size=of.get("minProperties", 0), max_size=3)
        case kind:
            return {"boolean": st.booleans(), "null": st.none()}.get(str(kind), ANY)


def numbers(of: dict[str, Any]) -> st.SearchStrategy[float]:
    """Between the bounds, if there are any."""
    if "exclusiveMaximum" in of:
        return st.integers(MIN_TIME, MAX_TIME - 1)
    least = of["exclusiveMinimum"] + 1 if "exclusiveMinimum" in of else of.get("minimum")
    whole = st.integers(least, of.get("maximum"))
    return whole if of["type"] == "integer" else whole | st.floats(max(0, least or 0), 9)


def strings(of: dict[str, Any]) -> st.SearchStrategy[str]:
    """Of the pattern or form that the schema names."""
    if of == DIGITS:
        return st.integers(0, 99).map(str)
    if of.get("format") in FORMATS:
        return FORMATS[of["format"]]
    if "contentMediaType" in of:
        return st.just('{"title":"t"}')
    if of.get("pattern") == KEY_SCHEMA["pattern"]:
        return st.lists(SEGMENTS, min_size=1, max_size=3).map("/".join)
    if "pattern" in of:
        made = st.from_regex(re.compile(of["pattern"], re.ASCII), fullmatch=True)
        return made.filter(lambda text: len(text) <= of.get("maxLength", 99) and "\n" not in text)
    return st.text(st.characters(exclude_categories=["Cs"]), min_size=of.get("minLength", 0), max_size=20)


@cache
def payloads(name: str) -> st.SearchStrategy[Any]:
    """All payloads of this job that its type allows: made once, because patterns are dear to read."""
    return values(schema(name), schema(name).get("$defs", {}))


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(st.data())
def test_a_value_of_the_type_is_taken(name: str, data: st.DataObject) -> None:
    """It is valid by the whole schema. The validator may refuse only what a type can't say."""
    value = json.loads(json.dumps(data.draw(payloads(name))))

    assert [] == list(map(str, Draft202012Validator(schema(name)).iter_errors(value)))
    try:
        JOBS[name].payload.model_validate(value)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        assert [] == [fault for fault in faults if not any(each in fault["msg"] for each in BEYOND_TYPES)]


def enqueued() -> list[tuple[JobSchema, Any]]:
    """The jobs that commands of the docs add."""
    found = [command.words[3:5] for command in commands() if command.script == "enqueue" and len(command.words) > 4]
    return [(JOBS[name], json.loads(data)) for name, data in found if name in JOBS and "..." not in data]


def test_the_payloads_in_the_docs_are_valid() -> None:
    """Those of commands; the compiler checks those in TypeScript."""
    assert enqueued()
    for job, data in enqueued():
        assert job.parse(data)
        assert Draft202012Validator(schema(job.name)).is_valid(data)
