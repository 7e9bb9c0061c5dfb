"""Texts in the rows of exports, of Postgres: any text, and any encoding of the database."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.export_lines import copy_line, csv_line, escaped
from tests.support.export_rows import exports_of, lines, view
from tests.support.prisma import TEXT_IDS, App

if TYPE_CHECKING:
    from storage.ports import Exports

CELL = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
NASTY = st.text(st.sampled_from("=+-@\t\r\n \u00a0\u3000\uff1da1'\"\\,;.|"), max_size=10)
WORDS = st.sampled_from(["a", "1", "=1", " -a", "\u3000@", '"', "'", ",", "", "é"])
LINES = st.builds(str.join, st.sampled_from(["\n", "\r", "\r\n"]), st.lists(WORDS, min_size=2, max_size=4))
TEXTS = CELL | NASTY | LINES


@pytest.mark.parametrize("app", ["postgres-text"], indirect=True)
async def test_postgres_writes_what_python_writes_and_reads_it_again(app: App, exports: Exports) -> None:
    """For any text: with and without escaping, as CSV and as COPY. Postgres's own COPY FROM gives the rows back."""
    rows: list[tuple[str | None, str | None]] = []

    @given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=30))
    def draw(drawn: list[tuple[str | None, str | None]]) -> None:
        rows.extend(drawn)

    draw()
    view(app, "n serial, a text, b text")
    app.sql('CREATE VIEW "export_ab" AS SELECT a, b FROM t ORDER BY n')
    with psycopg.connect(app.url, autocommit=True) as connection:
        connection.cursor().executemany("INSERT INTO t (a, b) VALUES (%s, %s)", rows)

    plain = await lines(exports, "csv", name="ab")
    assert len(rows) > 100
    assert plain == [csv_line(row) for row in rows]
    assert await lines(exports, "copy", name="ab") == [copy_line(row) for row in rows]
    safe = [[None if cell is None else escaped(cell) for cell in row] for row in rows]
    assert await lines(exports, "csv", name="ab", escape=True) == [csv_line(row) for row in safe]
    read = csv.reader(io.StringIO(b"".join(plain).decode(), newline=""), strict=True)
    assert list(read) == [[cell or "" for cell in row] for row in rows]
    with psycopg.connect(app.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE again (n serial, a text, b text)")
        with connection.cursor().copy("COPY again (a, b) FROM STDIN (FORMAT csv)") as copy:
            copy.write(b"".join(plain))
        assert connection.execute("SELECT a, b FROM again ORDER BY n").fetchall() == rows


@pytest.mark.parametrize(
    ("encoded_url", "texts", "rows"),
    [
        ("LATIN1", ["=1", "é", "a\n=2", "\u00a0+3", "b"], ["'=1", "é", '"\'a\n=2"', "'\u00a0+3", "b"]),
        ("EUC_JP", ["=1", "日", "＝2", "\u3000＋3", "\\357"], ["'=1", "日", "'＝2", "'\u3000＋3", "\\357"]),  # noqa: RUF001
        ("SQL_ASCII", ["=1", "é", "a\n=2", "\u00a0+3", "b"], ["'=1", "é", '"\'a\n=2"', "'\u00a0+3", "b"]),
    ],
    indirect=["encoded_url"],
)
async def test_a_database_may_have_another_encoding(encoded_url: str, texts: list[str], rows: list[str]) -> None:
    """The file is in UTF-8, and formulas are escaped."""
    other = App(f"{encoded_url}&client_encoding=utf8", TEXT_IDS)
    other.sql("CREATE TABLE t (n serial, t text)")
    other.sql("CREATE VIEW export_x AS SELECT t FROM t ORDER BY n")
    with psycopg.connect(other.url, autocommit=True) as connection:
        connection.cursor().executemany("INSERT INTO t (t) VALUES (%s)", [[each] for each in texts])
    async with exports_of(encoded_url) as exports:
        found = await lines(exports, "csv", escape=True)
    assert [f"{row}\r\n" for row in rows] == [row.decode() for row in found]
