"""The example's migrations on a real Postgres; `tests/unit/test_example_tables.py` compares their columns."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.prisma import App

PRISMA = Path(__file__).parents[3] / "examples" / "next" / "prisma"


def test_postgres_takes_the_migrations(postgres_url: str) -> None:
    """In an empty database, one after the other."""
    app = App(postgres_url, ())
    for path in sorted(PRISMA.glob("migrations/postgres/*/migration.sql")):
        app.sql(path.read_text())

    found = app.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    models = re.findall(r"^model (\w+)", (PRISMA / "schema.prisma").read_text(), re.MULTILINE)
    assert models
    assert set(models) == {row["tablename"] for row in found}
