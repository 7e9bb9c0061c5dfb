"""DATABASE_URL in the forms in which it is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.database_url import parse_database_url


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_postgres(scheme: str) -> None:
    """Heroku's scheme and the usual one both mean Postgres through psycopg, with a connect timeout."""
    url = parse_database_url(f"{scheme}://me:p%40ss@db.example:6432/shop?sslmode=require").engine

    assert ("postgresql+psycopg", "p@ss", "require", "5") == (
        url.drivername,
        url.password,
        url.query["sslmode"],
        url.query["connect_timeout"],
    )


def test_parameters_of_other_clients() -> None:
    """Vercel's Supabase and node-postgres write them into a URL. libpq would refuse them, so they are left out."""
    url = parse_database_url("postgres://h/shop?sslmode=require&supa=base-pooler.x&uselibpqcompat=true").engine

    assert ("require", None, None) == tuple(url.query.get(name) for name in ("sslmode", "supa", "uselibpqcompat"))


def test_prisma_parameters() -> None:
    """Prisma's own parameters, which libpq refuses, are left out; its schema and the app's timeout are kept."""
    url = parse_database_url("postgres://h/shop?schema=app&pgbouncer=true&connection_limit=1&connect_timeout=9")

    assert ("app", "9") == (url.schema, url.engine.query["connect_timeout"])
    assert [] == [name for name in ("schema", "pgbouncer", "connection_limit") if name in url.engine.query]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgres://me:hunter2@db.example:6432/shop", "db.example:6432"),
        ("postgres://me:hunter2@db.example/shop", "db.example:5432"),
        ("postgres://me@/shop?host=/run/postgres", "/run/postgres:5432"),
        ("sqlite:///dev.db", "dev.db"),
        ("sqlite:////var/a b.db", "/var/a b.db"),
        ("file:./dev.db", "dev.db"),
        ("file:dev.db?connection_limit=1&socket_timeout=5", "dev.db"),
        ("file:../data/50%25 b.db", "../data/50%25 b.db"),
        ("file:/var/a b.db", "/var/a b.db"),
        ("file:///var/dev.db", "/var/dev.db"),
        ("sqlite:./dev.db", "dev.db"),
    ],
)
def test_place(text: str, expected: str) -> None:
    """A message has the database's place, never the password."""
    assert expected == parse_database_url(text).place


def test_repr() -> None:
    """Printing a parsed URL does not show the password."""
    assert "hunter2" not in repr(parse_database_url("postgres://me:hunter2@h/shop?password=hunter2"))


def test_where_prisma_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prisma 6 has its file beside the schema, Prisma 7 where the app runs; the newer one wins."""
    monkeypatch.chdir(tmp_path)
    places = []
    for name in ("", "prisma/dev.db", "dev.db"):
        if name:
            Path(name).parent.mkdir(exist_ok=True)
            Path(name).touch()
        places.append(parse_database_url("file:./dev.db").place)

    assert ["dev.db", "prisma/dev.db", "dev.db"] == places
