"""The contract of object stores, its second half: lists and deletions, of S3 and of a local directory."""

from __future__ import annotations

import base64
import hashlib
import time
from typing import TYPE_CHECKING, Any

import pytest

from storage.errors import InvalidKeyError, StorageAwayError
from storage.objects.base import Deleted, Listed
from storage.objects.factory import open_store
from storage.objects.location import S3Location
from storage.objects.s3 import S3Store, make_client
from tests.support.s3 import store_settings

if TYPE_CHECKING:
    from pathlib import Path

    from storage.objects.base import ObjectStore
    from tests.support.s3 import Bucket

LIMIT = 100  # bytes
TYPE, CACHE = "text/csv", "no-cache"


async def _all(store: ObjectStore, folder: str) -> dict[str, Listed]:
    return {each.key: each async for page in store.list(folder) for each in page}


async def _fill(store: ObjectStore, source: Path, *keys: str) -> None:
    for key in keys:
        await store.store(source, key, TYPE, CACHE)


async def test_a_list_has_what_is_below_the_folder(store: ObjectStore, source: Path) -> None:
    """At any depth, with its size and its time; not the object of that name, nor a folder whose name begins so."""
    before = time.time() - 5
    await _fill(store, source, "tmp/a.csv", "tmp/x/Zoë 1.csv", "tmp/x/y/b", "tmp2/c", "tm", "other/tmp/d")

    found = await _all(store, "tmp")

    assert set(found) == {"tmp/a.csv", "tmp/x/Zoë 1.csv", "tmp/x/y/b"}
    assert [each.size for each in found.values()] == [7, 7, 7]
    assert all(before <= each.modified <= time.time() + 5 for each in found.values())
    assert await _all(store, "tmp/x/y") == {"tmp/x/y/b": found["tmp/x/y/b"]}
    assert await _all(store, "none") == {}
    assert await _all(store, "tmp/a.csv") == {}


async def test_pages_are_full_and_end(store: ObjectStore, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every object is in one page."""
    for module in ("s3", "tree"):
        monkeypatch.setattr(f"storage.objects.{module}.PAGE", 3)
    await _fill(store, source, *(f"tmp/{number}" for number in range(7)))

    pages = [[each.key for each in page] async for page in store.list("tmp")]

    assert [len(page) for page in pages] == [3, 3, 1]
    assert {key for page in pages for key in page} == {f"tmp/{number}" for number in range(7)}


async def test_what_is_deleted_is_gone_and_all_else_stays(
    store: ObjectStore, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In any number; also what has gone meanwhile counts."""
    monkeypatch.setattr("storage.objects.s3.PAGE", 2)
    keys = [f"tmp/{name}" for name in ("a", "b/c", "b/d", "é", "f g+&%<>\"'")]
    await _fill(store, source, *keys, "tmp/kept", "kept")
    found = await _all(store, "tmp")
    [gone] = [each for key, each in found.items() if key == "tmp/a"]
    assert await store.delete([gone]) == Deleted(frozenset({"tmp/a"}))

    done = await store.delete([found[key] for key in keys])

    assert done == Deleted(frozenset(keys))
    assert set(await _all(store, "tmp")) == {"tmp/kept"}
    assert await store.fetch("kept", tmp_path / "target", LIMIT) == 7
    assert await store.delete([]) == Deleted()


@pytest.mark.parametrize("key", ["", "/", "/a", "tmp/", "..", "tmp/..", "tmp/../..", "tmp//a", "a\\b", "a\nb"])
async def test_what_is_no_folder_is_neither_listed_nor_deleted(store: ObjectStore, source: Path, key: str) -> None:
    """Least of all the whole store."""
    await _fill(store, source, "tmp/a")
    with pytest.raises(InvalidKeyError):
        await _all(store, key)
    with pytest.raises(InvalidKeyError):
        await store.delete([Listed(key, 1, 0.0)])
    assert set(await _all(store, "tmp")) == {"tmp/a"}


async def test_objects_of_another_prefix_of_the_bucket_are_another_stores(s3_bucket: Bucket) -> None:
    """Keys that no payload can have are left alone, too."""
    client = make_client(s3_bucket.endpoint_url)
    for key in ("apps/shop/tmp/a", "apps/shop2/tmp/a", "tmp/a", "apps/shop/tmp/../up", "apps/shop/tmp//b"):
        client.put_object(Bucket=s3_bucket.name, Key=key, Body=b"x")
    client.close()
    store = open_store(store_settings(f"s3://{s3_bucket.name}/apps/shop", s3_bucket.endpoint_url))

    found = await _all(store, "tmp")
    assert set(found) == {"tmp/a"}
    await store.delete(list(found.values()))
    whole = open_store(store_settings(f"s3://{s3_bucket.name}", s3_bucket.endpoint_url))
    assert set(await _all(whole, "tmp")) == {"tmp/a"}
    assert set(await _all(whole, "apps")) == {"apps/shop2/tmp/a"}
    for each in (store, whole):
        await each.close()


async def test_an_answer_of_200_may_have_errors(
    s3_bucket: Bucket, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An object that is refused, or has failed, is told apart; an error of the service puts the caller off."""
    store = S3Store(make_client(s3_bucket.endpoint_url), S3Location(s3_bucket.name))
    await _fill(store, source, "tmp/a", "tmp/b")
    found = await _all(store, "tmp")
    code = "AccessDenied"
    monkeypatch.setattr(
        store._client, "delete_objects", lambda **_: {"Errors": [{"Key": "tmp/b", "Code": code, "Message": "no"}]}
    )

    assert await store.delete(list(found.values())) == Deleted(frozenset({"tmp/a"}), {"tmp/b": "AccessDenied"})
    code = "NoSuchKey"
    assert await store.delete(list(found.values())) == Deleted(frozenset({"tmp/a", "tmp/b"}))
    code = "InternalError"
    failed = Deleted(frozenset({"tmp/a"}), failed={"tmp/b": "InternalError"})
    assert await store.delete(list(found.values())) == failed
    code = "SlowDown"
    with pytest.raises(StorageAwayError, match=r"DeleteObjects \(SlowDown\)"):
        await store.delete(list(found.values()))
    await store.close()


async def test_deletions_have_the_digest_that_older_services_ask_for(s3_bucket: Bucket, source: Path) -> None:
    """Beside boto3's own checksum."""
    client = make_client(s3_bucket.endpoint_url)
    sent: list[Any] = []
    client.meta.events.register("before-send.s3.DeleteObjects", lambda request, **_: sent.append(request))
    store = S3Store(client, S3Location(s3_bucket.name))
    await _fill(store, source, "tmp/a")

    await store.delete(list((await _all(store, "tmp")).values()))
    await store.close()

    [request] = sent
    digest = base64.b64encode(hashlib.md5(request.body, usedforsecurity=False).digest()).decode()
    assert request.headers["Content-MD5"] in {digest, digest.encode()}


async def test_a_replaced_file_is_not_the_one_that_was_listed(tmp_path: Path, source: Path) -> None:
    """It is new, whatever its age was."""
    (tmp_path / "store").mkdir()
    store = open_store(store_settings((tmp_path / "store").as_uri()))
    await _fill(store, source, "tmp/a", "tmp/b")
    found = await _all(store, "tmp")
    await _fill(store, source, "tmp/a")

    assert await store.delete(list(found.values())) == Deleted(frozenset({"tmp/b"}))
    assert set(await _all(store, "tmp")) == {"tmp/a"}
