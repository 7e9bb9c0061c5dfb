"""Sample payloads, which the dashboard offers for a test job."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, model_validator

from processors.features import FEATURES
from queue_lib.admin.samples import sample
from queue_lib.feature import jobs_of
from queue_lib.processor import JobSchema, Model

JOBS = [schema for schema in jobs_of(FEATURES) if not schema.internal]


@pytest.mark.parametrize("schema", JOBS, ids=lambda schema: schema.name)
def test_each_job_has_a_sample_that_its_model_takes(schema: JobSchema) -> None:
    """So that a form that is sent as it is adds a job."""
    schema.parse(sample(schema.payload))


class Inner(Model):
    """A part of a payload, which may hold itself."""

    count: Annotated[int, Field(gt=4)]
    inner: Inner | None = None


class Payload(Model):
    """Fields of many types."""

    user_id: Annotated[str, Field(min_length=10, max_length=12)]
    kind: Literal["b", "a"]
    mail: Annotated[str, Field(json_schema_extra={"format": "email"})]
    share: Annotated[float, Field(ge=0)]
    inner: Inner
    many: Annotated[list[Inner], Field(min_length=1)]
    either: int | str | None
    is_new: bool
    left_out: str = "no"


def test_a_sample_has_what_is_required() -> None:
    """In the names of the wire, within the bounds."""
    made = sample(Payload)
    assert {
        "userId": "examplexxx",
        "kind": "b",
        "mail": "user@example.com",
        "share": 1,
        "inner": {"count": 5},
        "many": [{"count": 5}],
        "either": 1,
        "isNew": False,
    } == made
    Payload.model_validate(made)


class OneOfTwo(Model):
    """What its schema does not say."""

    first: str | None = None
    second: str | None = None
    third: str | None = None

    @model_validator(mode="after")
    def _has_two(self) -> OneOfTwo:
        if self.second is None:
            msg = "second is needed"
            raise ValueError(msg)
        return self


class Never(Model):
    """Which nothing is."""

    name: Annotated[str, Field(pattern="^[0-9]+$")]


class WithExample(Model):
    """Which has its own."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Ada"}]})

    name: str


@pytest.mark.parametrize(
    ("model", "made"),
    [
        (OneOfTwo, {"first": "example", "second": "example"}),
        (Never, {"name": "example"}),
        (WithExample, {"name": "Ada"}),
        (Model, {}),
    ],
)
def test_what_a_schema_does_not_say_is_tried(model: type[BaseModel], made: Any) -> None:
    """Further fields are added until the model takes it; if it never does, people see what is required."""
    assert made == sample(model)
