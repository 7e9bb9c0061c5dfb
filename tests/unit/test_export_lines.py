"""Lines of exports, formulas, names of files, and what of a view is chosen."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.exports.names import disposition, file_name, key_of
from processors.exports.output import Output
from processors.exports.payload import ExportPayload
from queue_lib.errors import PermanentError
from queue_lib.processor import JobSchema
from storage.errors import ConditionRefusedError, SchemaError
from storage.export_choice import chosen, view_of
from storage.export_lines import copy_line, csv_line, escaped, escaped_below
from storage.objects.base import check_key
from storage.ports import ExportColumn, ExportRequest

if TYPE_CHECKING:
    from pathlib import Path

    from storage.ports import ExportFilter, ExportKind

ANY = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
HOSTILE = st.text(st.sampled_from("=+-@\t\r\n \u00a0\u3000\uff1da1'\"\\,;.|"), max_size=12)
CELLS = st.lists(st.none() | ANY | HOSTILE, min_size=2, max_size=5)
FORM = JobSchema("data-export", "exports", ExportPayload)
# As a spreadsheet might: blanks of any kind are trimmed, and lines are looked at one by one.
TRIGGERS = re.compile(r"^[=+\-@\uff0b\uff0d\uff1d\uff20]")


@given(st.lists(CELLS, max_size=4))
def test_whatever_is_in_a_cell_comes_back_from_the_csv(rows: list[list[str | None]]) -> None:
    """By RFC 4180, where NULL and the empty text are both empty."""
    written = b"".join(map(csv_line, rows)).decode()
    read = list(csv.reader(io.StringIO(written, newline=""), strict=True))
    assert [[cell or "" for cell in row] for row in rows] == read


@given(ANY | HOSTILE)
def test_an_escaped_text_is_the_text_with_one_apostrophe_at_most(text: str) -> None:
    """There is one if a spreadsheet may see a formula, and none in front of a plain word."""
    safe = escaped(text)
    assert safe in {text, f"'{text}"}
    lines = re.split("[\n\r]", text)
    is_formula = any(TRIGGERS.match(line.lstrip(" \v\f\u00a0\u3000")) for line in lines) or text[:1] in {"\t", "\r"}
    assert not is_formula or safe != text
    assert safe == text or re.search("[=+\\-@\t\r\uff0b\uff0d\uff1d\uff20]", text)


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@a", "\ta", "\ra", "  =1", "\u00a0-1", "a\n=1", "a\r@x", "\uff1d1"]
)
def test_formulas_are_escaped(text: str) -> None:
    """Those of OWASP, after blanks and after line breaks."""
    assert escaped(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "a=1", "1-2", "a@b.c", "a\nb=1", "'=1", "Zoë"])
def test_other_texts_stay(text: str) -> None:
    """A sign within a line is none at its beginning."""
    assert escaped(text) == text


def test_long_texts_of_blanks_take_no_time() -> None:
    """A pattern that begins anew at each blank would take minutes."""
    for text in (" " * 200_000, "\n" * 200_000, "\n " * 100_000):
        assert escaped(text) == text
        row = f'"a{text}","a""{text}"\n'.encode()
        assert escaped_below(row, [True, True]) == row


@pytest.mark.parametrize(
    ("row", "safe"),
    [
        (b'"a\n=1"\n', b'"\'a\n=1"\n'),
        (b'"a""\n=1","b\nc"\n', b'"\'a""\n=1","b\nc"\n'),
        (b'"\'=1\n=2"\n', b'"\'=1\n=2"\n'),
        (b',"a\r@b",,\n', b',"\'a\r@b",,\n'),
        (b'""\n', b'""\n'),
        (b"\n", b"\n"),
    ],
)
def test_a_formula_below_a_word_is_escaped(row: bytes, safe: bytes) -> None:
    """In a row that Postgres wrote. All else stays, also what has its apostrophe already."""
    assert escaped_below(row, [True] * (row.count(b",") + 1)) == safe
    assert escaped_below(row, [False] * (row.count(b",") + 1)) == row


@given(CELLS)
def test_copy_lines_are_one_line_with_a_tab_between_cells(cells: list[str | None]) -> None:
    """Undone by the rules of COPY's text format it is the cells again."""
    line = copy_line(cells).decode()
    assert line.count("\n") == 1
    escapes = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
    read = [
        None if cell == "\\N" else re.sub(r"\\(.)", lambda found: escapes.get(found[1], found[1]), cell)
        for cell in line.removesuffix("\n").split("\t")
    ]
    assert read == cells


@given(ANY | HOSTILE | st.text(max_size=300))
def test_no_filename_leaves_its_header(wanted: str) -> None:
    """Whatever is asked for, it is one header, a name without a path, and it has the ending."""
    name = file_name(wanted, "orders", ".csv.gz")
    header = disposition(name)
    assert name.endswith(".csv.gz")
    assert len(name) > len(".csv.gz")
    assert name.isprintable()
    assert not set(name) & set('/\\:*?"<>|')
    assert not name.startswith(".")
    assert re.fullmatch(r"attachment; filename=\"[ -~]+\"; filename\*=UTF-8''[A-Za-z0-9._~%-]+", header)
    assert unquote(header.rpartition("''")[2]) == name


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        (None, "orders.csv"),
        ("Zoë 2026", "Zoë 2026.csv"),
        ("a.CSV", "a.csv"),
        ("../../etc/passwd", "_.._etc_passwd.csv"),
        ("a\r\nX-Evil: 1", "a X-Evil_ 1.csv"),
        ("invoice\u202evsc.exe", "invoice vsc.exe.csv"),
        ("...", "orders.csv"),
        ("\ud800", "orders.csv"),
    ],
)
def test_names_of_files(wanted: str | None, name: str) -> None:
    """No path, no line break, no sign that turns the direction of letters."""
    assert file_name(wanted, "orders", ".csv") == name


@given(st.none() | st.text(), st.text())
def test_any_user_and_job_have_a_key_below_exports(user: str | None, job: str) -> None:
    """It is a storage key of three parts."""
    key = key_of(user, job, "token", ".csv")
    assert check_key(key) == key
    assert re.fullmatch(r"exports/[\w-]{1,64}/[\w-]{1,64}-token\.csv", key, re.ASCII)


def test_the_file_is_what_was_written(tmp_path: Path) -> None:
    """Plain or as gzip, which has no time in it: a second run writes the same bytes."""
    for name, is_gzip in (("a", False), ("b", True), ("c", True)):
        with Output(tmp_path / name, 1000, gzip=is_gzip) as output:
            output.write(b"x" * 300)
            output.write(b"y" * 300)
            digest = output.finish()
        data = (tmp_path / name).read_bytes()
        assert (digest, output.bytes) == (hashlib.sha256(data).hexdigest(), len(data))
        assert (gzip.decompress(data) if is_gzip else data) == b"x" * 300 + b"y" * 300
    assert (tmp_path / "b").read_bytes() == (tmp_path / "c").read_bytes()


def test_a_file_never_goes_beyond_its_limit(tmp_path: Path) -> None:
    """What would is refused before it is written."""
    with Output(tmp_path / "a", 1000) as output:
        output.write(b"x" * 1000)
        with pytest.raises(PermanentError, match="EXPORT_MAX_BYTES"):
            output.write(b"x")
    assert (tmp_path / "a").stat().st_size == 1000


def payload(**fields: Any) -> ExportPayload:
    """A payload as a producer writes it."""
    parsed = FORM.parse({"exportType": "csv", **fields})
    assert isinstance(parsed, ExportPayload)
    return parsed


def test_the_least_payload() -> None:
    """Nulls are as good as nothing, and defaults are those for people."""
    assert payload(columns=None, filters=None, name=None, gzip=None) == payload()
    assert (payload().bom, payload().escape_formulas, payload().gzip) == (True, True, False)
    assert payload(userId=7).user_id == "7"


@pytest.mark.parametrize(
    "fields",
    [
        {"exportType": "exe"},
        {"name": 'a"; DROP TABLE x'},
        {"name": "a" * 57},
        {"columns": []},
        {"columns": ["a", "a"]},
        {"columns": "a"},
        {"filters": {"a": {}}},
        {"filters": {"a": {"contains": "x"}}},
        {"filters": {"a": {"gte": None}}},
        {"filters": {"a": {"gte": [1]}}},
        {"filters": {"a": {"gte": True}}},
        {"filters": {"a": [[1]]}},
        {"filters": {"a": [{"gte": 1}]}},
        {"filters": {"a": list(range(1001))}},
        {"filters": {"a": float("nan")}},
        {"filters": {str(number): 1 for number in range(101)}},
        {"filters": []},
        {"notify": ["fax"], "userId": "u"},
        {"notify": ["push"]},
        {"exportType": "xlsx", "gzip": True},
    ],
)
def test_a_payload_that_no_view_can_have_is_refused(fields: dict[str, Any]) -> None:
    """With its field's name, and none of its values."""
    with pytest.raises(PermanentError, match="bad payload for data-export: ") as caught:
        payload(**fields)
    assert "DROP" not in str(caught.value)


KINDS: dict[str, ExportKind] = {
    "id": "integer",
    "ok": "boolean",
    "at": "timestamp",
    "n": "decimal",
    "t": "text",
    "j": "json",
}
COLUMNS = [ExportColumn(name, kind) for name, kind in KINDS.items()]


def request(
    filters: dict[str, ExportFilter] | None = None, columns: list[str] | None = None, user_id: str | None = None
) -> ExportRequest:
    """A request."""
    return ExportRequest("x", user_id, columns, filters or {}, 1.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", "1; DROP"), ("id", "1.5"), ("id", " 1"), ("id", True), ("id", "9" * 20), ("ok", "yes"), ("ok", 1),
        ("at", "now"), ("at", 1796040000000), ("at", "2026"), ("n", "NaN"), ("n", "1_000"), ("t", "a\0"),
        ("t", "\ud800"), ("t", "x" * 1001), ("j", "{}"), ("none", 1), ('id" OR 1=1 --', 1), ("id", {"lt": "x"}),
        ("id", [1, "x"]), ("n", "\u0661"),
    ],
)  # fmt: skip
def test_a_value_that_its_column_can_t_have_is_refused(name: str, value: Any) -> None:
    """The message names the column, and not the value."""
    with pytest.raises(ConditionRefusedError, match="filters: ") as caught:
        chosen(request({name: value}), COLUMNS)
    assert "DROP" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("id", 7, "7"), ("id", "-7", "-7"), ("id", 7.0, "7"), ("ok", False, "false"), ("n", 1.5, "1.5"),
        ("n", 1e21, "1000000000000000000000"), ("at", "2026-11-30", "2026-11-30"),
        ("at", "2026-11-30T10:00:00.000Z", "2026-11-30T10:00:00.000Z"), ("t", 5, "5"), ("t", "", ""), ("t", None, None),
    ],
)  # fmt: skip
def test_a_value_becomes_a_text_of_its_column_s_kind(name: str, value: Any, text: str | None) -> None:
    """Numbers as JavaScript has them, dates as JSON has them."""
    [condition] = chosen(request({name: value}), COLUMNS).conditions
    assert (condition.operator, condition.values) == ("=", (text,))


@pytest.mark.parametrize("name", ["userId", "user_id", "userid", "USER_ID"])
def test_a_column_of_the_user_is_always_bound(name: str) -> None:
    """However it is spelt; without a userId there is no export."""
    columns = [*COLUMNS, ExportColumn(name, "text")]
    assert [column.name for column in chosen(request({}, ["id"], "u1"), columns).of_user] == [name]
    with pytest.raises(ConditionRefusedError, match="userId: not set"):
        chosen(request(), columns)
    with pytest.raises(ConditionRefusedError, match="no database"):
        chosen(request(user_id="u\0"), columns)


def test_columns_keep_their_order_and_are_those_of_the_view() -> None:
    """All by default."""
    assert chosen(request(), COLUMNS).columns == tuple(COLUMNS)
    assert [column.name for column in chosen(request(columns=["t", "id"]), COLUMNS).columns] == ["t", "id"]
    with pytest.raises(ConditionRefusedError, match="columns: the view has no column 'x'"):
        chosen(request(columns=["x"]), COLUMNS)


def test_without_a_name_there_must_be_one_view() -> None:
    """The message says which there are."""
    assert view_of(None, ["export_a"]) == "export_a"
    assert view_of("b", ["export_a", "export_b"]) == "export_b"
    for name, views, words in (
        (None, [], "there is no view"),
        (None, ["export_b", "export_a"], "several views: a, b"),
        ("c", ["export_a"], 'no view "export_c"'),
    ):
        with pytest.raises(SchemaError, match=words):
            view_of(name, views)
