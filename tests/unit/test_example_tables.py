"""The example's tables: three places say the same."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PRISMA = PROJECT / "examples" / "next" / "prisma"
SCHEMA = PRISMA / "schema.prisma"
MODELS = PROJECT / "packages" / "next" / "models.prisma"
SQLITE = {
    "String": "TEXT",
    "Int": "INTEGER",
    "Float": "REAL",
    "Boolean": "BOOLEAN",
    "DateTime": "DATETIME",
    "Decimal": "DECIMAL",
    "Json": "JSONB",
}
POSTGRES = SQLITE | {"Float": "DOUBLE PRECISION", "Decimal": "DECIMAL(65,30)", "DateTime": "TIMESTAMP(3)"}
MODEL = re.compile(r"^model (\w+) \{\n(.*?)^\}", re.DOTALL | re.MULTILINE)
FIELD = re.compile(r"^  (\w+)\s+(\w+)(\?|\[\])?( .*)?$", re.MULTILINE)
TABLE = re.compile(r'^CREATE TABLE "(\w+)" \(\n(.*?)^\);', re.DOTALL | re.MULTILINE)
COLUMN = re.compile(r'^    "(\w+)" ([A-Z]+(?: PRECISION)?(?:\([\d,]+\))?)( NOT NULL)?', re.MULTILINE)
TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"

Columns = dict[str, tuple[str, bool]]


def models(schema: Path) -> dict[str, Columns]:
    """Model -> column -> Prisma's type, and whether it must have a value. Relations are no columns."""
    return {
        name: {field: (kind, not mark) for field, kind, mark, _ in FIELD.findall(body) if kind in SQLITE}
        for name, body in MODEL.findall(schema.read_text())
    }


def migrated(provider: str) -> str:
    """The SQL of all migrations, in their order."""
    return "\n".join(path.read_text() for path in sorted((PRISMA / "migrations" / provider).glob("*/migration.sql")))


@pytest.mark.parametrize(("provider", "types"), [("sqlite", SQLITE), ("postgres", POSTGRES)])
def test_the_migrations_make_the_schemas_tables(provider: str, types: dict[str, str]) -> None:
    """Each column with the type that Prisma gives it."""
    wanted = {
        model: {name: (types[kind], required) for name, (kind, required) in columns.items()}
        for model, columns in models(SCHEMA).items()
    }

    made = {
        table: {
            name: (kind.replace("SERIAL", "INTEGER"), bool(required)) for name, kind, required in COLUMN.findall(body)
        }
        for table, body in TABLE.findall(migrated(provider))
    }

    assert wanted == made


def test_the_schema_has_the_packages_models() -> None:
    """As `npx pushmill init` adds them."""
    package = models(MODELS)

    assert package == {name: columns for name, columns in models(SCHEMA).items() if name in package}


def test_both_migrations_make_the_same_indexes() -> None:
    """The worker looks subscriptions up by user, and an endpoint is there once."""
    indexes = [
        set(re.findall(r"^CREATE (?:UNIQUE )?INDEX .*;", migrated(each), re.MULTILINE))
        for each in ("sqlite", "postgres")
    ]

    assert indexes[0] == indexes[1]
    assert 'CREATE INDEX "PushSubscription_userId_idx" ON "PushSubscription"("userId");' in indexes[0]
    assert 'CREATE UNIQUE INDEX "PushSubscription_endpoint_key" ON "PushSubscription"("endpoint");' in indexes[0]


def test_sqlite_takes_its_migrations() -> None:
    """In an empty database."""
    with sqlite3.connect(":memory:") as database:
        database.executescript(migrated("sqlite"))
        tables = {name for (name,) in database.execute(TABLES)}
    database.close()

    assert models(SCHEMA).keys() == tables
