"""Workbooks: each value of a row is in its cell, as a number where Excel keeps all of it, else as text."""

from __future__ import annotations

import json
import zipfile
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from processors.exports.xlsx import task, workbook
from processors.exports.xlsx.workbook import Size, Workbook, letters
from processors.sandbox.protocol import RefusedError
from tests.support.media import FakeParent
from tests.support.workbooks import copied, read, styles_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.support.workbooks import Rows, Value

LONGEST = 32_767
MARCH_1900 = date(1900, 3, 1)
FIRST, LAST = (datetime.fromisoformat(each) for each in ("1900-03-03", "9999-12-30"))  # in any zone
# What a text of Postgres may have: all but NUL, and no halves of pairs.
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
CODES = st.builds("{}_x{:04x}_{}".format, TEXTS, st.integers(0, 0xFFFF), TEXTS)
ZONES = st.integers(-15 * 60 + 1, 15 * 60 - 1).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where each example writes its workbook."""
    return tmp_path_factory.mktemp("workbooks") / "export.xlsx"


def write(
    file: Path, columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[str | None]], size: Size | None = None
) -> Workbook:
    """Write the rows."""
    made = Workbook(file, columns, size)
    made.write(copied(row) for row in rows)
    return made


def cell(file: Path, kind: str, value: str) -> Value:
    """What a reader finds for a value. It comes after an empty cell, which must not move it."""
    write(file, [("none", "text"), ("value", kind)], [[None, value]])
    [[_, [empty, found]]] = read(file)
    assert empty is None
    return found


@pytest.mark.parametrize("kind", ["text", "json"])
@given(value=TEXTS | CODES)
def test_a_text_is_what_it_was(file: Path, kind: str, value: str) -> None:
    """Control characters, markup, blanks at the ends and what looks like a code of Excel's come back."""
    assert value == cell(file, kind, value)


@pytest.mark.parametrize("value", ["=SUM(1,2)", "+1", "-1", "@here", "https://example.com", "007", "TRUE", "1e5", ""])
def test_a_text_is_never_something_else(file: Path, value: str) -> None:
    """A formula, a link, a number or a truth in a column of texts stays text."""
    assert value == cell(file, "text", value)
    assert b"<f" not in zipfile.ZipFile(file).read("xl/worksheets/sheet1.xml")


@given(value=st.integers() | st.integers(-(2**63), 2**63 - 1))
def test_an_integer_keeps_all_of_its_digits(file: Path, value: int) -> None:
    """Up to 15 digits it is a number; Excel would round a longer one, so that is text."""
    expected = Decimal(value) if abs(value) < 10**15 else str(value)

    assert expected == cell(file, "integer", str(value))


@given(digits=st.integers(-(10**20), 10**20), places=st.integers(0, 20))
def test_a_decimal_keeps_its_value_and_its_places(file: Path, digits: int, places: int) -> None:
    """A price can be summed and shows its two places; a decimal of more than 15 digits is text."""
    value = Decimal(digits).scaleb(-places)

    found = cell(file, "decimal", f"{value:f}")

    if isinstance(found, str):
        assert f"{value:f}" == found
        assert len(f"{abs(value):f}".replace(".", "")) > 15
    else:
        assert value == found == Decimal(repr(float(value)))
        assert ("0." + "0" * places if places else "General") == styles_of(file)["B2"]


@given(value=st.floats())
def test_a_float_is_the_same_float(file: Path, value: float) -> None:
    """What Excel has no number for is text: infinity, NaN, and the largest and the smallest ones."""
    found = cell(file, "number", repr(value))

    assert repr(value) == (found if isinstance(found, str) else repr(float(str(found))))
    assert isinstance(found, str) == (value != 0 and not 2.2250738585072014e-308 <= abs(value) <= 9.99999999999999e307)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *[("number", value) for value in ("NaN", "Infinity", "-Infinity", "1_000", "0x1", "٣")],
        *[("integer", value) for value in ("007", "+1", "1.0", "", "٣", "1_0")],
        *[("decimal", value) for value in ("NaN", "Infinity", "1.", ".5", "1E+5", "00.1")],
        *[("boolean", value) for value in ("", "yes", "1")],
        *[("date", value) for value in ("infinity", "-infinity", "0044-03-15 BC", "10000-01-01", "1900-02-28")],
        *[("timestamp", value) for value in ("infinity", "0044-03-15 12:00:00 BC", "20000-01-01 00:00:00")],
        *[("timestamptz", value) for value in ("0001-01-01 00:00:00+05", "9999-12-31 23:00:00-02", "nonsense")],
    ],
)
def test_what_a_kind_can_t_hold_is_text(file: Path, kind: str, value: str) -> None:
    """Values that Postgres has and Excel has not, and those of SQLite, whose columns take anything."""
    assert value == cell(file, kind, value)


def test_a_truth_is_one(file: Path) -> None:
    """`t` and `f` are COPY's words, `true` and `false` those of a cast to text."""
    assert [True, False] * 2 == [cell(file, "boolean", word) for word in ("t", "f", "true", "false")]


@given(value=st.dates())
def test_a_date_is_a_date_since_march_1900(file: Path, value: date) -> None:
    """Excel has a 29 February 1900, so earlier days are text."""
    assert (value if value >= MARCH_1900 else value.isoformat()) == cell(file, "date", value.isoformat())


@given(value=st.datetimes() | st.dates().map(lambda day: datetime.combine(day, time.max)))
@example(value=datetime.fromisoformat("9999-12-31T23:59:59.999999"))
def test_a_time_is_right_to_the_millisecond(file: Path, value: datetime) -> None:
    """Without a fraction it shows seconds. The last microsecond of a day is not of the next one: 9999 has none."""
    found = cell(file, "timestamp", str(value))

    if isinstance(found, datetime):
        assert abs(value - found) < timedelta(milliseconds=1)
        assert value.date() == found.date()
        assert styles_of(file)["B2"].endswith("ss.000" if value.microsecond else "ss")
    else:
        assert value.date() < MARCH_1900
        assert str(value) == found


@pytest.mark.parametrize("kind", ["timestamp", "timestamptz"])
@given(value=st.datetimes(FIRST, LAST, timezones=ZONES))
def test_a_time_is_in_utc(file: Path, kind: str, value: datetime) -> None:
    """The header says so, also for one without a zone, which counts as UTC."""
    found = cell(file, kind, str(value))

    assert isinstance(found, datetime)
    assert abs(value.astimezone(UTC).replace(tzinfo=None) - found) < timedelta(milliseconds=1)
    assert [["none", "value (UTC)"]] == read(file)[0][:1]


@pytest.mark.parametrize("character", ["a", "\N{GRINNING FACE}", "&", "\x01", "\n"])
@pytest.mark.parametrize("length", [LONGEST // 2, LONGEST // 2 + 1, LONGEST - 1, LONGEST, LONGEST + 1, 100_000])
def test_a_text_that_is_too_long_says_so(file: Path, character: str, length: int) -> None:
    """A cell holds 32,767 units of UTF-16. A longer text ends with its length, and is counted."""
    value = character * length
    units = len(value.encode("utf-16-le")) // 2

    made = write(file, [("text", "text")], [[value], ["after"]])

    [[_, [found], after]] = read(file)
    assert isinstance(found, str)
    assert ["after"] == after
    if units <= LONGEST:
        assert (value, 0) == (found, made.cut)
    else:
        begin, _, mark = found.partition("… ")
        assert (f"[cut here: it has {length:,} characters]", 1) == (mark, made.cut)
        assert value.startswith(begin)
        assert LONGEST - 1 <= len(found.encode("utf-16-le")) // 2 <= LONGEST


@given(count=st.integers(0, 40), rows=st.integers(2, 12), size=st.sampled_from([1, 10**9]))
def test_a_full_sheet_is_followed_by_another(file: Path, count: int, rows: int, size: int) -> None:
    """Each begins with the header; together they have all rows, in order."""
    made = write(file, [("n", "integer")], [[str(number)] for number in range(count)], Size(rows, size))

    sheets = read(file)
    assert (len(sheets), count) == (made.sheets, made.rows)
    assert [["n"]] * len(sheets) == [sheet[0] for sheet in sheets]
    assert [[Decimal(number)] for number in range(count)] == [row for sheet in sheets for row in sheet[1:]]
    assert [rows] * (len(sheets) - 1) == [len(sheet) for sheet in sheets[:-1]]
    assert 1 <= len(sheets[-1]) <= rows
    assert len(sheets) == 1 or len(sheets[-1]) > 1


def test_a_sheet_ends_before_its_part_of_the_file_is_too_large(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part beyond 2 GiB would need ZIP64, of which Excel warns."""
    monkeypatch.setattr(workbook, "PIECE", 1000)
    rows = [["x" * 100] for _ in range(100)]

    made = write(file, [("text", "text")], rows, Size(bytes=5000))

    assert made.sheets > 2
    assert rows == [row for sheet in read(file) for row in sheet[1:]]
    with zipfile.ZipFile(file) as package:
        assert all(part.file_size < 5000 + 2 * 1000 for part in package.infolist() if "sheet" in part.filename)


def test_a_sheet_has_all_columns_that_excel_has(file: Path) -> None:
    """The last of 16,384 is XFD."""
    write(file, [(f"c{place}", "integer") for place in range(16_384)], [["1", *[None] * 16_382, "2"]])

    [[header, row]] = read(file)
    assert (16_384, "c16383", 16_384) == (len(header), header[-1], len(row))
    assert (Decimal(1), Decimal(2)) == (row[0], row[-1])
    assert ["A", "Z", "AA", "ZZ", "AAA", "XFD"] == [letters(place) for place in (0, 25, 26, 701, 702, 16_383)]


def test_the_same_rows_make_the_same_bytes(tmp_path: Path) -> None:
    """So a job that runs again stores what is there."""
    files = [tmp_path / "one.xlsx", tmp_path / "two.xlsx"]
    for each in files:
        write(each, [("text", "text")], [["x"]])

    assert files[0].read_bytes() == files[1].read_bytes()


def test_names_of_columns_are_texts_too(file: Path) -> None:
    """A name may have markup, quotes and what Excel takes for a formula."""
    name = "=<b>&\"'_x0041_"
    write(file, [(name, "text")], [])

    assert [[[name]]] == read(file)


def do(folder: Path, monkeypatch: pytest.MonkeyPatch, rows: bytes, columns: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Run the task."""
    monkeypatch.chdir(folder)
    (folder / "rows").write_bytes(rows)
    return task.run(json.loads(json.dumps({"columns": columns})), FakeParent())


def test_the_task_reports_what_it_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows, sheets, texts that were cut, and bytes."""
    rows = f"1\tone\n2\t\\N\n3\t{'x' * 40_000}\n".encode()

    report = do(tmp_path, monkeypatch, rows, [("id", "integer"), ("name", "text")])

    expected: Rows = [["id", "name"], [Decimal(1), "one"], [Decimal(2)]]
    assert [expected] == [sheet[:3] for sheet in read(tmp_path / "export.xlsx")]
    size = (tmp_path / "export.xlsx").stat().st_size
    assert {"rows": 3, "sheets": 1, "cutCells": 1, "bytes": size} == report


def test_progress_is_told_by_what_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In whole percents, none of them twice."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows").write_text(f"{'x' * 100}\n" * 5000)
    parent = FakeParent()

    task.run({"columns": [["text", "text"]]}, parent)

    assert sorted(set(parent.percents)) == parent.percents
    assert len(parent.percents) > 3


def test_more_columns_than_excel_has_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is written."""
    with pytest.raises(RefusedError, match=r"16,384 columns, and this export 16,385: choose `columns`, or csv"):
        do(tmp_path, monkeypatch, b"", [(f"c{place}", "text") for place in range(16_385)])


def test_rows_that_are_no_utf_8_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database of SQL_ASCII may hold any bytes. None is replaced silently."""
    with pytest.raises(RefusedError, match="not UTF-8"):
        do(tmp_path, monkeypatch, b"caf\xe9\n", [("text", "text")])


def test_a_workbook_that_excel_would_not_open_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond 2 GiB a file needs ZIP64, as it does with too many parts."""
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 3)
    with pytest.raises(RefusedError, match="more than 2 GiB: take csv or jsonl"):
        do(tmp_path, monkeypatch, b"", [("text", "text")])
