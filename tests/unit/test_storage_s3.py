"""What can be tested of S3 without a server."""

from __future__ import annotations

import traceback
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import botocore
import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    IncompleteReadError,
    NoCredentialsError,
    ResponseStreamingError,
    SSLError,
)

from storage.errors import (
    ObjectNotFoundError,
    ObjectTooLargeError,
    StorageAwayError,
    StorageRefusedError,
    StorageUnavailableError,
)
from storage.objects import s3 as s3_module
from storage.objects.location import S3Location
from storage.objects.s3 import S3Store, make_client, reason, s3_base_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from botocore.awsrequest import AWSPreparedRequest


@pytest.mark.parametrize(
    ("endpoint_url", "location", "expected"),
    [
        ("https://s3.eu-west-1.amazonaws.com", S3Location("shop"), "https://shop.s3.eu-west-1.amazonaws.com"),
        ("https://s3.amazonaws.com", S3Location("shop", "a/ü"), "https://shop.s3.amazonaws.com/a/%C3%BC"),
        ("https://s3.eu-west-1.amazonaws.com", S3Location("a.b"), "https://s3.eu-west-1.amazonaws.com/a.b"),
        ("https://s3.cn-north-1.amazonaws.com.cn", S3Location("shop"), "https://shop.s3.cn-north-1.amazonaws.com.cn"),
        ("http://minio:9000", S3Location("shop", "a"), "http://minio:9000/shop/a"),
        ("https://minio.example/s3/", S3Location("shop"), "https://minio.example/s3/shop"),
    ],
)
def test_base_url(endpoint_url: str, location: S3Location, expected: str) -> None:
    """On AWS a bucket has its own host, unless a dot in its name breaks TLS; elsewhere it is a path."""
    assert expected == s3_base_url(endpoint_url, location)


def _client_error(code: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "GetObject")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (NoCredentialsError(), "no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        (
            _client_error("AccessDenied", "Access Denied"),
            "access denied; allow s3:ListBucket on the bucket, s3:GetObject and s3:PutObject on its objects",
        ),
        (
            _client_error("SignatureDoesNotMatch", "The signature\nis wrong."),
            "SignatureDoesNotMatch: The signature is wrong.",
        ),
        (
            EndpointConnectionError(endpoint_url="http://minio:9000/shop"),
            'Could not connect to the endpoint URL: "http://minio:9000/shop"',
        ),
    ],
)
def test_reason(error: ClientError, expected: str) -> None:
    """One line says why S3 refused, with what to set if that is known."""
    assert expected == reason(error)


def test_no_checksums_that_other_services_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Uploads and downloads have none of the checksum headers that R2, B2 and MinIO refuse."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    client = make_client("http://localhost:1")
    sent: list[str] = []

    def record(request: AWSPreparedRequest, **_: object) -> None:
        sent.extend(name.lower() for name in request.headers)
        raise InterruptedError

    client.meta.events.register("before-send.s3", record)
    with pytest.raises(InterruptedError):
        client.put_object(Bucket="shop", Key="a", Body=b"1")
    with pytest.raises(InterruptedError):
        client.get_object(Bucket="shop", Key="a")
    client.close()

    assert "authorization" in sent
    assert [] == [name for name in sent if "checksum" in name or "crc32" in name]


def test_the_user_agent_names_only_us_and_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says nothing of the machine."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    client = make_client("http://localhost:1")
    sent: list[str] = []

    def record(request: AWSPreparedRequest, **_: object) -> None:
        agent = request.headers["User-Agent"]
        sent.append(agent.decode() if isinstance(agent, bytes) else agent)
        raise InterruptedError

    client.meta.events.register("before-send.s3", record)
    with pytest.raises(InterruptedError):
        client.put_object(Bucket="shop", Key="a", Body=b"1")
    client.close()

    assert [f"pushmill Botocore/{botocore.__version__}"] == sent


async def test_a_large_object_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """By its declared size, without a byte downloaded."""
    body = UnreadBody()
    client: Any = SimpleNamespace(
        meta=SimpleNamespace(endpoint_url="https://s3.amazonaws.com"),
        get_object=lambda **_: {"ContentLength": 11, "Body": body},
        close=lambda: None,
    )
    store = S3Store(client, S3Location("shop"))

    with pytest.raises(ObjectTooLargeError):
        await store.fetch("a.mp4", tmp_path / "target", 10)
    await store.close()

    assert body.closed


@pytest.mark.parametrize(
    "error",
    [IncompleteReadError(actual_bytes=1, expected_bytes=2), ResponseStreamingError(error="reset")],
    ids=["closed", "reset"],
)
async def test_a_download_that_breaks_off_is_an_outage(tmp_path: Path, error: Exception) -> None:
    """The service is away, and nothing is left of the object on disk."""

    def break_off(_size: int) -> Iterator[bytes]:
        yield b"1"
        raise error

    body = SimpleNamespace(iter_chunks=break_off, close=lambda: None)
    client: Any = SimpleNamespace(
        meta=SimpleNamespace(endpoint_url="https://s3.amazonaws.com"),
        get_object=lambda **_: {"ContentLength": 2, "Body": body},
        close=lambda: None,
    )
    store = S3Store(client, S3Location("shop"))

    with pytest.raises(StorageAwayError):
        await store.fetch("a.mp4", tmp_path / "target", 10)
    await store.close()

    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (429, "SlowDown", StorageAwayError),
        (429, "TooManyRequests", StorageAwayError),
        (400, "RequestTimeout", StorageAwayError),
        (409, "OperationAborted", StorageAwayError),
        (503, "SlowDown", StorageAwayError),
        (507, "XMinioStorageFull", StorageAwayError),
        (403, "AccessDenied", StorageAwayError),
        (403, "InvalidAccessKeyId", StorageAwayError),
        (403, "SignatureDoesNotMatch", StorageAwayError),
        (403, "RequestTimeTooSkewed", StorageAwayError),
        (403, "AccountProblem", StorageAwayError),
        (403, "QuotaExceeded", StorageAwayError),
        (400, "ExpiredToken", StorageAwayError),
        (400, "AuthorizationHeaderMalformed", StorageAwayError),
        (301, "PermanentRedirect", StorageAwayError),
        (404, "NoSuchBucket", StorageAwayError),
        (404, "NoSuchKey", ObjectNotFoundError),
        (403, "InvalidObjectState", StorageRefusedError),
        (400, "EntityTooLarge", StorageRefusedError),
        (400, "InvalidArgument", StorageRefusedError),
    ],
)
async def test_whose_fault_it_is(tmp_path: Path, status: int, code: str, expected: type[Exception]) -> None:
    """Faults of the service or of our settings are no job's fault; the reason has the code, and no account."""

    def refuse(**_: object) -> None:
        raise _refusal(status, code)

    store = _store_over(refuse)
    with pytest.raises(expected) as caught:
        await store.fetch("a.jpg", tmp_path / "target", 10)
    await store.close()

    if expected is not ObjectNotFoundError:
        assert f"the object store refuses GetObject ({code})" == str(caught.value)
        assert "arn:" not in "".join(traceback.format_exception(caught.value))


async def test_an_object_that_is_not_ours(tmp_path: Path) -> None:
    """If the store lets us read others, refusing one object is that object's fault."""

    def refuse(**request: str) -> None:
        raise _refusal(404, "NoSuchKey") if request["Key"] == s3_module.PROBE_KEY else _refusal(403, "AccessDenied")

    store = _store_over(refuse)
    with pytest.raises(StorageRefusedError, match="AccessDenied"):
        await store.fetch("a.jpg", tmp_path / "target", 10)
    await store.check()
    await store.close()


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (EndpointConnectionError(endpoint_url="http://minio:9000"), StorageAwayError),
        (SSLError(endpoint_url="https://minio", error=OSError("certificate has expired")), StorageAwayError),
        (ConnectTimeoutError(endpoint_url="http://minio:9000"), StorageAwayError),
        (CredentialRetrievalError(provider="sso", error_msg="timed out"), StorageAwayError),
        (NoCredentialsError(), StorageUnavailableError),
        (503, StorageAwayError),
        ("RequestTimeTooSkewed", StorageAwayError),
        ("AccessDenied", StorageUnavailableError),
        ("InvalidAccessKeyId", StorageUnavailableError),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
async def test_the_start_goes_on_after_passing_faults(error: Exception | int | str, expected: type[Exception]) -> None:
    """The check separates faults that pass from those that need other settings."""

    def refuse(**_: object) -> None:
        match error:
            case int(status):
                raise _refusal(status, "SlowDown")
            case str(code):
                raise _refusal(403, code)
            case _:
                raise error

    store = _store_over(refuse)
    with pytest.raises(expected, match="STORAGE_URL: the bucket 'shop' can't be used"):
        await store.check()
    await store.close()


def _refusal(status: int, code: str) -> ClientError:
    error: Any = {"Code": code, "Message": "User: arn:aws:iam::1234:user/me is not authorized"}
    return ClientError({"Error": error, "ResponseMetadata": {"HTTPStatusCode": status}}, "GetObject")  # type: ignore[typeddict-item]


def _store_over(get_object: Callable[..., None]) -> S3Store:
    meta = SimpleNamespace(endpoint_url="https://s3.amazonaws.com")
    client: Any = SimpleNamespace(meta=meta, get_object=get_object, close=lambda: None)
    return S3Store(client, S3Location("shop"))


class UnreadBody:
    """A response body that must not be read."""

    closed = False

    def iter_chunks(self, _size: int) -> Iterator[bytes]:
        """Fail, because no read is expected."""
        pytest.fail("the body was read")

    def close(self) -> None:
        """Drop the connection."""
        self.closed = True


async def test_a_service_that_is_away_is_an_outage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not a missing object."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "eu-central-1")
    monkeypatch.setattr(s3_module, "ATTEMPTS", 1)
    store = S3Store(s3_module.make_client("http://127.0.0.1:9"), S3Location("bucket"))
    source = tmp_path / "source"
    source.write_bytes(b"x")
    with pytest.raises(StorageAwayError, match="does not answer"):
        await store.fetch("a.jpg", tmp_path / "target", 10)
    with pytest.raises(StorageAwayError, match="does not answer"):
        await store.store(source, "a.jpg", "image/jpeg", "no-cache")
    await store.close()
