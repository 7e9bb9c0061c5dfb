"""The contract of object stores: S3 and a local directory behave the same."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest

from storage.errors import (
    InvalidKeyError,
    ObjectNotFoundError,
    ObjectTooLargeError,
    StorageUnavailableError,
)
from storage.objects.factory import open_store
from storage.objects.location import S3Location
from storage.objects.s3 import S3Store, make_client
from storage.objects.transfer import CHUNK, Stop, StoppedError
from storage.settings import ObjectsSettings
from tests.support.s3 import store_settings

if TYPE_CHECKING:
    from email.message import Message

    from storage.objects.base import ObjectStore
    from tests.support.s3 import Bucket

LIMIT = 10 * CHUNK
TYPE = "image/jpeg"
CACHE = "public, max-age=31536000, immutable"


def _read(url: str) -> tuple[bytes, Message]:
    """What a browser would see: the body and the headers."""
    with urlopen(url) as response:  # noqa: S310 -- a file URL is among those that are tested
        return response.read(), response.headers


@pytest.mark.parametrize("key", ["a.jpg", "uploads/2026/a.jpg", "avatars/Zoë & Söhne #1?.jpg"])
async def test_a_stored_object_is_fetched(store: ObjectStore, source: Path, tmp_path: Path, key: str) -> None:
    """An object comes back as it was stored, under any key."""
    await store.store(source, key, TYPE, CACHE)

    size = await store.fetch(key, tmp_path / "target", LIMIT)

    assert (7, b"picture") == (size, (tmp_path / "target").read_bytes())


@pytest.mark.parametrize("size", [0, 1, CHUNK, 9 * CHUNK + 1])
async def test_any_size(store: ObjectStore, tmp_path: Path, size: int) -> None:
    """An empty object, one of exactly a chunk, and one uploaded in parts come back whole."""
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(bytes(range(256)) * (size // 256) + b"x" * (size % 256))
    await store.store(source, "a", TYPE, CACHE)

    fetched = await store.fetch("a", target, LIMIT)

    is_same = source.read_bytes() == target.read_bytes()  # pytest would take minutes to show a difference
    assert (size, True) == (fetched, is_same)


async def test_storing_replaces_an_object(store: ObjectStore, source: Path, tmp_path: Path) -> None:
    """Storing under a key that is taken replaces the object."""
    (tmp_path / "new").write_bytes(b"new")
    await store.store(source, "a.jpg", TYPE, CACHE)
    await store.store(tmp_path / "new", "a.jpg", TYPE, CACHE)

    await store.fetch("a.jpg", tmp_path / "target", LIMIT)

    assert b"new" == (tmp_path / "target").read_bytes()


@pytest.mark.parametrize("key", ["b.jpg", "dir", "dir/a.jpg/b.jpg", "x" * 600])
async def test_a_missing_object_is_an_error(store: ObjectStore, source: Path, tmp_path: Path, key: str) -> None:
    """A key without an object raises ObjectNotFoundError, also if it is the prefix or the extension of another key."""
    await store.store(source, "dir/a.jpg", TYPE, CACHE)

    with pytest.raises(ObjectNotFoundError, match="no object has the key"):
        await store.fetch(key, tmp_path / "target", LIMIT)

    assert not (tmp_path / "target").exists()


async def test_exactly_the_limit(store: ObjectStore, source: Path, tmp_path: Path) -> None:
    """An object of exactly as many bytes as allowed is fetched."""
    await store.store(source, "a.jpg", TYPE, CACHE)

    assert 7 == await store.fetch("a.jpg", tmp_path / "target", 7)


async def test_too_large(store: ObjectStore, source: Path, tmp_path: Path) -> None:
    """One byte more raises ObjectTooLargeError, and leaves nothing on the disk."""
    await store.store(source, "a.jpg", TYPE, CACHE)

    with pytest.raises(ObjectTooLargeError, match="at least 7 bytes; 6 are allowed"):
        await store.fetch("a.jpg", tmp_path / "target", 6)

    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("key", ["", "/a", "../a", "a/../../b", "a//b", "https://evil.example/a", "a\\b", "a\nb"])
async def test_bad_keys(store: ObjectStore, source: Path, tmp_path: Path, key: str) -> None:
    """A string that is no storage key is refused, for storing and for fetching."""
    with pytest.raises(InvalidKeyError):
        await store.fetch(key, tmp_path / "target", LIMIT)
    with pytest.raises(InvalidKeyError):
        await store.store(source, key, TYPE, CACHE)


async def test_the_url_is_public(store: ObjectStore, source: Path) -> None:
    """The URL that `store` returns leads to the object."""
    stored = await store.store(source, "avatars/Zoë & Söhne #1?.jpg", TYPE, CACHE)

    assert stored.url == stored.lasting
    assert b"picture" == _read(stored.url)[0]


async def test_public_base_url(settings: ObjectsSettings, source: Path) -> None:
    """With STORAGE_PUBLIC_BASE_URL, an object's URL is that and its key, percent-encoded."""
    store = open_store(store_settings(settings.storage_url, settings.s3_endpoint_url, "https://cdn.example/media/"))

    stored = await store.store(source, "a/ü 1.jpg", TYPE, CACHE)
    await store.close()

    assert "https://cdn.example/media/a/%C3%BC%201.jpg" == stored.url


async def test_missing_source(store: ObjectStore, tmp_path: Path) -> None:
    """Storing a file that is not there fails, and no object appears."""
    with pytest.raises(FileNotFoundError):
        await store.store(tmp_path / "nowhere", "a.jpg", TYPE, CACHE)
    with pytest.raises(ObjectNotFoundError):
        await store.fetch("a.jpg", tmp_path / "target", LIMIT)


async def test_check_passes(store: ObjectStore) -> None:
    """The check passes on a usable store, any number of times."""
    await store.check()
    await store.check()


async def test_closing_twice_is_no_error(store: ObjectStore) -> None:
    """Closing a closed store is no fault."""
    await store.close()
    await store.close()


async def test_check_names_what_is_wrong_with_a_directory(tmp_path: Path) -> None:
    """A directory that is missing, no directory, or not writable gives one line with the setting's name."""
    (tmp_path / "file").write_text("")
    for place, fault in (
        (tmp_path / "none", f"there is no directory {tmp_path}/none; make it, "),
        (tmp_path / "file", f"there is no directory {tmp_path}/file; make it, "),
        (Path("/proc"), "the directory /proc can't be written: "),
    ):
        with pytest.raises(StorageUnavailableError) as caught:
            await open_store(store_settings(place.as_uri())).check()

        assert str(caught.value).startswith(f"STORAGE_URL: {fault}")
        assert 1 == len(str(caught.value).splitlines())


async def test_check_names_a_missing_bucket(s3_bucket: Bucket) -> None:
    """One line, with the setting's name."""
    store = open_store(store_settings("s3://no-such-bucket", s3_bucket.endpoint_url))

    with pytest.raises(StorageUnavailableError, match=r"^STORAGE_URL: the bucket 'no-such-bucket' .*NoSuchBucket"):
        await store.check()
    await store.close()


async def test_s3_keeps_the_headers(s3_bucket: Bucket, source: Path) -> None:
    """S3 serves an object with the content type and the cache control that it was stored with."""
    store = open_store(store_settings(f"s3://{s3_bucket.name}", s3_bucket.endpoint_url))

    stored = await store.store(source, "a.jpg", TYPE, CACHE)
    await store.close()

    _, headers = _read(stored.url)
    assert (TYPE, CACHE) == (headers["Content-Type"], headers["Cache-Control"])


async def test_s3_links_may_be_signed(s3_bucket: Bucket, source: Path) -> None:
    """With STORAGE_LINK_EXPIRY a URL is signed and expires, and the app is to keep the key."""
    store = open_store(
        ObjectsSettings(
            storage_url=f"s3://{s3_bucket.name}/app",
            s3_endpoint_url=s3_bucket.endpoint_url,
            s3_addressing_style="path",
            storage_link_expiry=600,
        )
    )

    stored = await store.store(source, "a b.jpg", TYPE, CACHE)
    await store.close()

    query = parse_qs(urlsplit(stored.url).query)
    assert ("a b.jpg", True) == (stored.lasting, "Signature" in query or "X-Amz-Signature" in query)
    assert urlsplit(stored.url).path == f"/{s3_bucket.name}/app/a%20b.jpg"
    assert b"picture" == _read(stored.url)[0]


async def test_an_s3_upload_can_be_stopped(s3_bucket: Bucket, tmp_path: Path) -> None:
    """An upload whose caller has gone ends early, and no object appears."""
    store = S3Store(make_client(s3_bucket.endpoint_url), S3Location(s3_bucket.name))
    (tmp_path / "source").write_bytes(bytes(9 * CHUNK))
    stop = Stop()
    stop.set()

    with pytest.raises(StoppedError):
        store._upload(tmp_path / "source", "a.mp4", {"ContentType": "video/mp4"}, stop)
    with pytest.raises(ObjectNotFoundError):
        await store.fetch("a.mp4", tmp_path / "target", LIMIT)
    await store.close()


async def test_a_disposition_and_a_link_of_its_own(store: ObjectStore, source: Path) -> None:
    """S3 gives browsers the name that the disposition says, and signs a link that ends; a directory can do neither."""
    header = "attachment; filename=\"a.csv\"; filename*=UTF-8''Zo%C3%AB.csv"
    stored = await store.store(source, "exports/u/a.csv", "text/csv", "private, no-store", header)

    link = await store.signed_link("exports/u/a.csv", 600)

    if isinstance(store, S3Store):
        assert link is not None
        assert link != stored.url
        query = parse_qs(urlsplit(link).query)
        [expiry] = query.get("X-Amz-Expires") or query["Expires"]
        assert 590 < float(expiry) - (time.time() if "Expires" in query else 0) <= 601
        body, headers = _read(link)
        assert (b"picture", header, "text/csv") == (body, headers["Content-Disposition"], headers["Content-Type"])
    else:
        assert link is None
    with pytest.raises(InvalidKeyError):
        await store.signed_link("../a", 600)
