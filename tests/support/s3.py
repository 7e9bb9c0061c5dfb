"""S3's protocol, spoken by moto on a port of its own or by the store at S3_TEST_URL, and a fresh bucket for each test.

moto accepts any credentials and any checksum: what S3 refuses can be tested only against a store that checks them.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

import boto3
import pytest
from moto.server import ThreadedMotoServer

from storage.settings import ObjectsSettings
from tests.support.programs import ServerSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}

_numbers = count(secrets.randbelow(10**12))  # a store may have the buckets of earlier sessions


@dataclass(frozen=True, slots=True)
class Bucket:
    """An empty bucket with public objects, and its address."""

    endpoint_url: str
    name: str


@pytest.fixture(scope="session")
def moto_server() -> Iterator[str]:
    """The endpoint URL of a moto that was started for the session."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_bucket(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A bucket of this test's own, with credentials for it in the environment."""
    return new_bucket(ServerSettings().s3_test_url or request.getfixturevalue("moto_server"), monkeypatch)


@pytest.fixture
def moto_bucket(moto_server: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """The same in moto, for a test that needs its users."""
    return new_bucket(moto_server, monkeypatch)


def new_bucket(endpoint_url: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A bucket whose objects anybody may read, with credentials for it in the environment."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    bucket = Bucket(endpoint_url, f"bucket-{next(_numbers)}")
    client = boto3.client("s3", endpoint_url=endpoint_url)
    client.create_bucket(Bucket=bucket.name)
    client.put_bucket_policy(Bucket=bucket.name, Policy=json.dumps(_readable(bucket.name)))
    client.close()
    return bucket


def _readable(bucket: str) -> dict[str, object]:
    allow = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    return {"Version": "2012-10-17", "Statement": [allow]}


def store_settings(storage_url: str, endpoint_url: str | None = None, base_url: str | None = None) -> ObjectsSettings:
    """The settings of a store."""
    return ObjectsSettings(
        storage_url=storage_url,
        s3_endpoint_url=endpoint_url,
        storage_public_base_url=base_url,
    )
