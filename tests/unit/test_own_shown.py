"""What a team's own jobs show of themselves on their pages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import HttpUrl

from processors.features import with_own_jobs
from queue_lib.admin.ports import JobView
from queue_lib.job import State, Wire
from queue_lib.jobs.own_module import read_modules
from queue_lib.serving import showings_of
from queue_lib.shown import Facts, Link, Part, Picture, Words
from queue_lib.web.dashboard.pages import TEMPLATES
from queue_lib.web.dashboard.showing import parts_of, pictures_of
from tests.support.own_jobs import GOOD

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("own_folder")

SHOWS = """
    result = Sent
    links_below = ("https://app.example/invoices/",)

    @classmethod
    def shows(cls, payload, result):
        yield Link(f"https://app.example/invoices/{payload.invoice_id}", "The invoice")
        if result:
            yield Facts({"Copies": result.copies})
            yield Picture(result.preview, "The first page")
"""
PREVIEW = "https://cdn.example/app/i-1.png"


def written(tmp_path: Path, shows: str = SHOWS) -> str:
    """The module, whose job has this `shows`."""
    names = "Facts, Job, Link, Model, Picture, Queue, Table, Words"
    head = f"from datetime import datetime\nfrom queue_lib.jobs import {names}\nclass Sent(Model):\n"
    text = GOOD.replace("from queue_lib.jobs import Job, Model, Queue\n", f"{head}    copies: int\n    preview: str\n")
    (tmp_path / "own.py").write_text(text.replace('"invoices"\n', f'"invoices"\n{shows}', 1))
    return "own"


def shown(tmp_path: Path, data: Any, result: Any = None, shows: str = SHOWS) -> Sequence[Part]:
    """The parts of a job with this payload and result."""
    features = with_own_jobs(read_modules([written(tmp_path, shows)]))
    job = JobView(
        id="1",
        name="send-invoice",
        queue="invoices",
        wire=Wire.RQ,
        state=State.COMPLETED,
        data=data,
        attempts_made=1,
        result=result,
    )
    return parts_of(job, showings_of(features))


def test_it_is_what_the_class_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Links below those of the class and of the store; a picture is in the page's policy."""
    link = Link("https://app.example/invoices/i-1", "The invoice")
    assert [link] == shown(tmp_path, {"invoiceId": "i-1"})
    monkeypatch.setenv("STORAGE_URL", "s3://bucket")
    monkeypatch.setenv("STORAGE_PUBLIC_BASE_URL", "https://cdn.example/app")
    parts = shown(tmp_path, {"invoiceId": "i-1"}, {"copies": 2, "preview": PREVIEW})
    assert [link, Facts({"Copies": 2}), Picture(PREVIEW, "The first page")] == parts  # type: ignore[dict-item]
    assert PREVIEW == pictures_of(parts)


@pytest.mark.parametrize("invoice_id", ["../admin", "i-1\x00"])
def test_no_payload_leads_elsewhere(tmp_path: Path, invoice_id: str) -> None:
    """Nor does a result lead to a store that the environment does not name."""
    parts = shown(tmp_path, {"invoiceId": invoice_id}, {"copies": 2, "preview": PREVIEW})
    assert [Words, Facts, Words] == [type(part) for part in parts]


@pytest.mark.parametrize("data", [None, {}, {"invoiceId": 7}, "i-1"])
def test_a_payload_that_does_not_fit_shows_nothing(tmp_path: Path, data: Any) -> None:
    """The function gets its own model, or is not called; a result that is none of its model is None."""
    assert [] == shown(tmp_path, data)
    assert 1 == len(shown(tmp_path, {"invoiceId": "i-1"}, {"sent": 2}))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return [payload.nothing]", r"AttributeError: 'Invoice' object has no .+own\.py, line \d+\)"),
        ("return ['text']", r"TypeError: str is no part; write Words"),
        ("return None", r"TypeError: 'NoneType' object is not iterable"),
        ("return [Facts([('Copies', 2)])]", r"TypeError: Facts takes names and values; write "),
        ("return [Table('Copies', ('To',), ({'ada'} for _ in 'ab'))]", r"TypeError: Table takes lists; write "),
        ("return [Table('Copies', ('To',), None)]", r"TypeError: .+ must be an iterable"),
        ("return [Link('https://app.example/', 'It', datetime.now())]", r"TypeError: until is in seconds since the "),
    ],
)
def test_a_fault_of_the_class_is_told_on_the_page(tmp_path: Path, body: str, expected: str) -> None:
    """All else of the page is there."""
    shows = f"\n    @classmethod\n    def shows(cls, payload, result):\n        {body}\n"
    [words] = shown(tmp_path, {"invoiceId": "i-1"}, shows=shows)
    assert isinstance(words, Words)
    assert re.match(rf"The job's `shows` failed: {expected}", words.text)


def test_parts_without_end_are_cut(tmp_path: Path) -> None:
    """A generator is asked for no more than a page has."""
    body = "yield from [Words('again')] * 50\n        raise AssertionError"
    shows = f"\n    @classmethod\n    def shows(cls, payload, result):\n        {body}\n"
    assert [Words("again")] * 50 == shown(tmp_path, {"invoiceId": "i-1"}, shows=shows)


def test_an_address_may_be_an_url_of_pydantic() -> None:
    """As models have it."""
    assert PREVIEW == pictures_of([Picture(HttpUrl(PREVIEW), "The first page")])  # type: ignore[arg-type]


def test_numbers_may_be_given_as_texts_are() -> None:
    """A table that a team has made of what it has must not break the page."""
    shown = TEMPLATES.get_template("shown.html").module.shown  # type: ignore[attr-defined]
    assert "<dd>2</dd>" in str(shown(Facts({"Copies": 2}), 1))  # type: ignore[dict-item]
