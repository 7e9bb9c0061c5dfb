"""A real S3 service that checks keys and rights: its refusals are no job's fault, and readiness names S3's code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import pytest

from storage.errors import StorageAwayError, StorageUnavailableError
from storage.objects.location import S3Location
from storage.objects.s3 import S3Store, make_client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.s3 import Bucket

READ, WRITE = ["s3:GetObject", "s3:ListBucket"], ["s3:PutObject"]


class Keys:
    """A user of the bucket's account, whose rights and keys change while the worker runs."""

    def __init__(self, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bucket = bucket
        self._monkeypatch = monkeypatch
        self._iam: Any = boto3.client("iam", endpoint_url=bucket.endpoint_url)
        self._name = f"worker-of-{bucket.name}"
        self._iam.create_user(UserName=self._name)
        self._key = self._iam.create_access_key(UserName=self._name)["AccessKey"]

    def allow(self, actions: list[str]) -> None:
        """Give these rights, and no others."""
        self._unchecked()
        statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self._iam.put_user_policy(UserName=self._name, PolicyName="rights", PolicyDocument=policy)
        self._checked()

    def revoke(self) -> None:
        """Delete the key."""
        self._unchecked()
        self._iam.delete_access_key(UserName=self._name, AccessKeyId=self._key["AccessKeyId"])
        self._checked()

    def delete_bucket(self) -> None:
        """Delete the bucket with all its objects."""
        self._unchecked()
        client = boto3.client("s3", endpoint_url=self.bucket.endpoint_url)
        for each in client.list_objects_v2(Bucket=self.bucket.name).get("Contents", []):
            client.delete_object(Bucket=self.bucket.name, Key=each["Key"])
        client.delete_bucket(Bucket=self.bucket.name)
        client.close()

    def store(self, secret: str | None = None) -> S3Store:
        """The worker's store, with the user's key."""
        self._monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps the credentials that it has found
        self._monkeypatch.setenv("AWS_ACCESS_KEY_ID", self._key["AccessKeyId"])
        self._monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret or self._key["SecretAccessKey"])
        return S3Store(make_client(self.bucket.endpoint_url), S3Location(self.bucket.name))

    def close(self) -> None:
        """Restore all rights."""
        self._unchecked()
        self._iam.close()

    def _checked(self) -> None:
        httpx.post(f"{self.bucket.endpoint_url}/moto-api/reset-auth", content="0").raise_for_status()

    def _unchecked(self) -> None:
        httpx.post(f"{self.bucket.endpoint_url}/moto-api/reset-auth", content="inf").raise_for_status()


@pytest.fixture
def keys(moto_bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> Iterator[Keys]:
    """A user who may read and write, in a bucket with one object."""
    client = boto3.client("s3", endpoint_url=moto_bucket.endpoint_url)
    client.delete_bucket_policy(Bucket=moto_bucket.name)
    client.put_object(Bucket=moto_bucket.name, Key="a.jpg", Body=b"1")
    client.close()
    keys = Keys(moto_bucket, monkeypatch)
    keys.allow(READ + WRITE)
    yield keys
    keys.close()


async def _put(store: S3Store, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"1")
    await store.store(source, "b.jpg", "image/jpeg", "no-cache")


async def test_keys_that_are_revoked(keys: Keys, tmp_path: Path) -> None:
    """A worker whose key is deleted while it runs puts its jobs off."""
    store = keys.store()
    await store.check()
    await store.fetch("a.jpg", tmp_path / "target", 10)
    keys.revoke()

    with pytest.raises(StorageAwayError, match=r"^the object store refuses GetObject \(InvalidAccessKeyId\)$"):
        await store.fetch("a.jpg", tmp_path / "target", 10)
    with pytest.raises(StorageUnavailableError, match="InvalidAccessKeyId"):
        await store.check()
    await store.close()


async def test_a_secret_that_is_wrong(keys: Keys, tmp_path: Path) -> None:
    """It ends the start, with S3's code."""
    store = keys.store("another")

    with pytest.raises(StorageUnavailableError, match="SignatureDoesNotMatch"):
        await store.check()
    with pytest.raises(StorageAwayError, match=r"\(SignatureDoesNotMatch\)"):
        await store.fetch("a.jpg", tmp_path / "target", 10)
    await store.close()


async def test_a_right_to_write_that_is_taken_away(keys: Keys, tmp_path: Path) -> None:
    """Reading goes on; readiness names the last write's error until a write has worked again."""
    store = keys.store()
    await _put(store, tmp_path)
    keys.allow(READ)

    with pytest.raises(StorageAwayError, match=r"^the object store refuses PutObject \(AccessDenied\)$"):
        await _put(store, tmp_path)
    await store.fetch("a.jpg", tmp_path / "target", 10)
    with pytest.raises(StorageAwayError, match=r"^the object store refuses PutObject \(AccessDenied\)$"):
        await store.check()
    keys.allow(READ + WRITE)
    await _put(store, tmp_path)
    await store.check()
    await store.close()


async def test_a_right_to_read_that_is_taken_away(keys: Keys, tmp_path: Path) -> None:
    """If everything is refused, it is not the object's fault."""
    store = keys.store()
    keys.allow(WRITE)

    with pytest.raises(StorageAwayError, match=r"^the object store refuses GetObject \(AccessDenied\)$"):
        await store.fetch("a.jpg", tmp_path / "target", 10)
    await store.close()


async def test_a_bucket_that_is_gone(keys: Keys, tmp_path: Path) -> None:
    """It is another error than a missing object."""
    store = keys.store()
    keys.delete_bucket()

    with pytest.raises(StorageAwayError, match=r"\(NoSuchBucket\)"):
        await store.fetch("a.jpg", tmp_path / "target", 10)
    with pytest.raises(StorageAwayError, match=r"\(NoSuchBucket\)"):
        await _put(store, tmp_path)
    await store.close()
