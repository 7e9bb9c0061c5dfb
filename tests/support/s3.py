"""S3's protocol, spoken by moto on a port of its own, and a fresh bucket for each test.

moto accepts any credentials and any checksum: what S3 refuses can't be tested against it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

import boto3
import pytest
from moto.server import ThreadedMotoServer

from storage.settings import ObjectsSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Bucket:
    """An empty bucket with public objects, and its address."""

    endpoint_url: str
    name: str


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The endpoint URL of an S3 that was started for the session."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A bucket of this test's own, with credentials for it in the environment."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    bucket = Bucket(s3_server, f"bucket-{next(_numbers)}")
    client = boto3.client("s3", endpoint_url=s3_server)
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
