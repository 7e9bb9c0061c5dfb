"""The OpenAPI document, without any feature."""

from __future__ import annotations

import contextlib
import json
import operator
import re
from functools import reduce
from typing import TYPE_CHECKING

from processors.features import FEATURES
from queue_lib.feature import routers_of
from queue_lib.web.api.app import build

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from queue_lib.admin.admin import Admin


def never() -> AbstractAsyncContextManager[Admin]:
    """The document needs no admin."""
    return contextlib.nullcontext()  # type: ignore[return-value]


def test_examples_name_no_feature() -> None:
    """The queue serves any app's jobs."""
    text = json.dumps(build(never, (), rate=1).openapi())
    names = {
        name for feature in FEATURES for name in (*(q.name for q in feature.queues), *(j.name for j in feature.jobs))
    }

    assert len(names) > 5
    assert [] == [name for name in names if f'"{name}"' in text]


def test_all_references_lead_somewhere() -> None:
    """Clients and generators resolve them from the document's root."""
    document = build(never, (), rate=1, routers=routers_of(FEATURES)).openapi()
    references = set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document)))

    assert references
    for each in references:
        assert reduce(operator.getitem, each.split("/"), document)


def test_a_job_is_named_by_name_or_type() -> None:
    """The document says that one of the two is needed."""
    submission = build(never, (), rate=1).openapi()["components"]["schemas"]["Submission"]

    assert ["data"] == submission["required"]
    assert [{"required": ["name"]}, {"required": ["type"]}] == submission["oneOf"]
    assert {"name", "type", "data", "options"} == set(submission["properties"])
