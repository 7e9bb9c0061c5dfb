"""Storage's settings: accepted values, and the messages of faults."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from storage.objects.location import LocalLocation, S3Location, parse_location
from storage.settings import DatabaseSettings, ObjectsSettings

if TYPE_CHECKING:
    from pydantic_settings import BaseSettings

MODELS = (DatabaseSettings, ObjectsSettings)
GOOD: dict[str, Any] = {"database_url": "postgres://me:hunter2@db.example/shop", "storage_url": "s3://shop"}


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (name for model in MODELS for name in model.model_fields):
        monkeypatch.delenv(name.upper(), raising=False)


def _faults(**values: Any) -> dict[str, str]:
    errors = [error for model in MODELS if (error := _error(model, **{**GOOD, **values})) is not None]
    assert not any("hunter2" in str(error) for error in errors)
    return {
        str(fault["loc"][0]): fault["msg"].removeprefix("Value error, ") for error in errors for fault in error.errors()
    }


def _error(model: type[BaseSettings], **values: Any) -> ValidationError | None:
    try:
        model(**values)
    except ValidationError as error:
        return error
    return None


def test_defaults() -> None:
    """A store's URL is enough."""
    settings = ObjectsSettings(**GOOD)

    assert (None, None) == (settings.s3_endpoint_url, settings.storage_public_base_url)


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each setting is read from the variable of its name; an empty variable counts as not set."""
    monkeypatch.setenv("DATABASE_URL", "sqlite:///dev.db")
    monkeypatch.setenv("STORAGE_URL", "file:///var/media")
    monkeypatch.setenv("S3_CHECKSUMS", "")

    objects = ObjectsSettings()

    assert "sqlite:///dev.db" == DatabaseSettings().database_url
    assert ("file:///var/media", "when_required") == (objects.storage_url, objects.s3_checksums)


def test_missing_settings_are_named_at_once() -> None:
    """Database and storage are required, and one error names both and what to set them to."""
    assert {
        "database_url": "not set; set it to the app's database, e.g. postgresql://user:password@host:5432/database",
        "storage_url": "not set; set it to where the uploads are: s3://bucket/prefix or file:///absolute/directory",
    } == _faults(database_url="", storage_url="")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("hunter2", "not a URL; it looks like postgresql://user:password@host:5432/database"),
        ("postgres://me:hunter2@h:port/db", "not a URL; it looks like postgresql://user:password@host:5432/database"),
        (
            "mysql://me:hunter2@h/db",
            "neither Postgres (postgres://... or postgresql://...) nor SQLite (sqlite:///path or file:./path)",
        ),
        ("file:", "not a URL; it looks like postgresql://user:password@host:5432/database"),
        (
            "file://dev.db",
            "neither Postgres (postgres://... or postgresql://...) nor SQLite (sqlite:///path or file:./path)",
        ),
        (
            "postgres://me:pass@hunter2@h/db",
            "more than one @; write the special characters of the password percent-encoded (@ as %40)",
        ),
        (
            "postgres://me:hunter2@h",
            "names no database; it looks like postgresql://user:password@host:5432/database",
        ),
        (
            "sqlite://",
            "names no file; it looks like sqlite:///relative/path.db or sqlite:////absolute/path.db",
        ),
    ],
)
def test_database_url_faults(url: str, expected: str) -> None:
    """A bad DATABASE_URL is refused with a sentence that does not repeat it."""
    assert {"database_url": expected} == _faults(database_url=url)


EITHER = "neither s3://bucket/prefix nor file:///absolute/directory"
NO_BUCKET = "names no bucket; it looks like s3://bucket/prefix (credentials go into AWS_ACCESS_KEY_ID and so on)"
NO_PREFIX = "the prefix is no relative path of at most 120 bytes; it looks like s3://bucket/prefix"
NO_DIRECTORY = "not an absolute directory; write three slashes: file:///absolute/directory"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/var/media", EITHER),
        ("https://shop.s3.amazonaws.com", EITHER),
        ("s3://", NO_BUCKET),
        ("s3:///prefix", NO_BUCKET),
        ("s3://key:hunter2@shop", NO_BUCKET),
        ("s3://shop/../other", NO_PREFIX),
        ("s3://shop/a//b", NO_PREFIX),
        (f"s3://shop/{'x' * 121}", NO_PREFIX),
        ("s3://shop?region=x", "has a ? or a #; it looks like s3://bucket/prefix or file:///absolute/directory"),
        ("file://media", NO_DIRECTORY),
        ("file:media", NO_DIRECTORY),
    ],
)
def test_storage_url_faults(url: str, expected: str) -> None:
    """A bad STORAGE_URL is refused with a sentence that shows the right form."""
    assert {"storage_url": expected} == _faults(storage_url=url)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("s3://shop", S3Location("shop")),
        ("s3://shop/", S3Location("shop")),
        ("s3://shop/apps/web/", S3Location("shop", "apps/web")),
        ("file:///var/my%20media", LocalLocation(Path("/var/my media"))),
    ],
)
def test_locations(url: str, expected: S3Location | LocalLocation) -> None:
    """STORAGE_URL is a bucket with a prefix, or a directory."""
    assert expected == parse_location(url)


@pytest.mark.parametrize("name", ["s3_endpoint_url", "storage_public_base_url"])
def test_web_addresses(name: str) -> None:
    """The two web addresses are http or https, without a slash at the end."""
    settings = ObjectsSettings(**{**GOOD, name: "https://r2.example/x/"})

    assert "https://r2.example/x" == getattr(settings, name)
    assert {name: "not a plain web address; it looks like https://host or https://host/path"} == _faults(
        **{name: "minio:9000"}
    )


def test_the_password_is_not_shown() -> None:
    """Printing the settings does not show the database's password."""
    assert "hunter2" not in repr(DatabaseSettings(**GOOD))
