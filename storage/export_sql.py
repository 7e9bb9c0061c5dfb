"""The SQL of Postgres that reads a view for an export. Pure. Names are quoted as identifiers, values as literals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import sql

from storage.export_lines import FORMULA, FORMULA_IN_OCTAL, PLAIN
from storage.search_cells import IS_EXACT, IS_SAFE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from storage.export_choice import Choice, Condition
    from storage.ports import ExportColumn, ExportForm, ExportKind

# Only views that this session would find: in the app's schema, or on its search path.
VIEWS = """SELECT c.relname, n.nspname, c.oid FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('v', 'm') AND left(c.relname, 7) = 'export_'
    AND CASE WHEN %(schema)s::text IS NULL THEN pg_catalog.pg_table_is_visible(c.oid) ELSE n.nspname = %(schema)s END"""
COLUMNS = """SELECT a.attname, coalesce(b.typname, t.typname), coalesce(b.typcategory, t.typcategory)
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_catalog.pg_type b ON t.typtype = 'd' AND b.oid = t.typbasetype
    WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""
# What the texts of values look like, whatever the app's role has, until the transaction ends.
SESSION = """SELECT set_config('client_encoding', 'UTF8', true),
    set_config('DateStyle', 'ISO', true), set_config('TimeZone', 'UTC', true),
    set_config('IntervalStyle', 'postgres', true), set_config('extra_float_digits', '1', true),
    set_config('statement_timeout', %s, true)"""
_KINDS: dict[str, ExportKind] = {
    **dict.fromkeys(("int2", "int4", "int8", "oid"), "integer"),
    **dict.fromkeys(("float4", "float8"), "number"),
    **dict.fromkeys(("json", "jsonb"), "json"),
    "numeric": "decimal",
    "bool": "boolean",
    "date": "date",
    "timestamp": "timestamp",
    "timestamptz": "timestamptz",
}
_NESTED = ("A", "C")  # categories of types: lists and rows
_MOMENT = """CASE WHEN {0} BETWEEN '0001-01-01' AND '9999-12-31 23:59:59.999999'
    THEN replace(({0})::timestamp::text, ' ', 'T') || 'Z' ELSE ({0})::timestamp::text END"""
# Types whose texts are no formulas. That of a jsonb begins with a bracket, a quote or a letter, or is a number.
_HARMLESS = frozenset({"jsonb", "uuid"})
# The SQL of a cell as text, by its type. What COPY writes of a number is its text; a cast takes longer.
_TEXTS = {
    **{name: "{0}" for name, kind in _KINDS.items() if kind in {"integer", "number", "decimal", "date"}},
    **dict.fromkeys(_HARMLESS, "{0}"),
    "timestamp": _MOMENT,
    "timestamptz": _MOMENT,
    "bytea": "translate(encode({0}, 'base64'), E'\\n', '')",
}
# The same for `row_to_json`. A number that JavaScript would round is a text.
_JSON = {
    **_TEXTS,
    "int8": f"CASE WHEN {IS_SAFE} THEN to_json({{0}}) ELSE to_json({{0}}::text) END",
    "numeric": f"CASE WHEN {IS_EXACT} THEN to_json({{0}}) ELSE to_json({{0}}::text) END",
}
# Most texts need no pattern, which takes longer than all else. A second line takes half as long to look for: those of
# the texts without a pattern are left to the client (`escaped_below`).
_BEGINS_PLAIN = " OR ".join(f"ascii({{0}}) BETWEEN {first} AND {last}" for first, last in PLAIN)
_ESCAPED = f"CASE WHEN {_BEGINS_PLAIN} THEN {{0}} WHEN {{0}} ~ {{1}} THEN '''' || {{0}} ELSE {{0}} END"
# Of a database in another encoding than UTF-8: there `ascii` may fail, and a pattern's codes are those of the encoding.
_ESCAPED_ELSEWHERE = """CASE WHEN encode(convert_to({0}, 'UTF8'), 'escape') ~ {1}
    THEN '''' || {0} ELSE {0} END"""
# The first condition is exact, where a type or a collation is not. The second one is for an index.
_OWNED = '({0})::text COLLATE "C" = {1} AND {0} = {1}'
# MARK is no part of JSON's text, so JSON is not quoted unless it has a line break.
MARK = 1
_FORMATS: dict[ExportForm, str] = {
    "csv": "(FORMAT csv)",
    "copy": "(FORMAT text)",
    "json": "(FORMAT csv, DELIMITER E'\\x02', QUOTE E'\\x01')",
}


def kind_of(type_name: str, category: str) -> ExportKind:
    """The kind of a column, by its type's name and category in pg_type."""
    return "json" if category in _NESTED else _KINDS.get(type_name, "text")


@dataclass(frozen=True, slots=True)
class ViewQuery:
    """A view of a schema, and what is read of it. `types`: the type's name in pg_type, by column.

    `is_unicode`: the database's encoding is UTF-8.
    """

    schema: str
    name: str
    types: Mapping[str, str]
    choice: Choice
    user_id: str | None
    is_unicode: bool

    def explain(self) -> sql.Composed:
        """Plans the query: a value that can't be of its column's type fails here."""
        return sql.SQL("EXPLAIN (FORMAT JSON) {}").format(self._select(sql.SQL("1")))

    def copy(self, form: ExportForm, *, escape_formulas: bool) -> sql.Composed:
        """The rows as `form` has them."""
        cells = [
            self._json(column) if form == "json" else self._text(column, escape_formulas=escape_formulas)
            for column in self.choice.columns
        ]
        rows = self._select(sql.SQL(", ").join(cells))
        if form == "json":
            rows = sql.SQL("SELECT row_to_json(d.*)::text FROM ({}) AS d").format(rows)
        return sql.SQL("COPY ({}) TO STDOUT {}").format(rows, sql.SQL(_FORMATS[form]))

    def may_be_formula(self, column: ExportColumn) -> bool:
        """Whether a text of the column may begin as a formula does."""
        return column.kind in {"text", "json"} and self.types[column.name] not in _HARMLESS

    def _select(self, cells: sql.Composable) -> sql.Composed:
        conditions = sql.SQL(" AND ").join([sql.SQL("true"), *self._conditions()])
        return sql.SQL("SELECT {} FROM {} AS v WHERE {}").format(
            cells, sql.Identifier(self.schema, self.name), conditions
        )

    def _conditions(self) -> list[sql.Composed]:
        owned = [sql.SQL(_OWNED).format(_cell(each), sql.Literal(self.user_id)) for each in self.choice.of_user]
        return [*owned, *map(_condition, self.choice.conditions)]

    def _text(self, column: ExportColumn, *, escape_formulas: bool) -> sql.Composed:
        type_name = self.types[column.name]
        usual = "to_json({0})::text" if column.kind == "json" and type_name not in _KINDS else "({0})::text"
        text = sql.SQL(_TEXTS.get(type_name, usual)).format(_cell(column))
        if not escape_formulas or not self.may_be_formula(column):
            return text
        # Postgres has no patterns for a collation that takes different texts as equal.
        cell = sql.SQL('({} COLLATE "C")').format(text)
        if not self.is_unicode:
            return sql.SQL(_ESCAPED_ELSEWHERE).format(cell, sql.Literal(FORMULA_IN_OCTAL))
        return sql.SQL(_ESCAPED).format(cell, sql.Literal(FORMULA))

    def _json(self, column: ExportColumn) -> sql.Composed:
        cell = sql.SQL(_JSON.get(self.types[column.name], "{0}")).format(_cell(column))
        return sql.SQL("{} AS {}").format(cell, sql.Identifier(column.name))


def _cell(column: ExportColumn) -> sql.Composed:
    return sql.SQL("v.{}").format(sql.Identifier(column.name))


def _condition(condition: Condition) -> sql.Composed:
    """The values are untyped literals, which take the column's type."""
    cell = _cell(condition.column)
    given = [sql.Literal(value) for value in condition.values if value is not None]
    if condition.operator != "=":
        return sql.SQL("{} {} {}").format(cell, sql.SQL(condition.operator), *given)
    is_one = sql.SQL("{} IN ({})").format(cell, sql.SQL(", ").join(given)) if given else sql.SQL("false").format()
    return sql.SQL("({} OR {} IS NULL)").format(is_one, cell) if None in condition.values else is_one
