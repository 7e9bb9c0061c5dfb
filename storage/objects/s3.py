"""S3, and every service that speaks its protocol. boto3 is used here only; it is synchronous and runs in threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from functools import partial
from typing import TYPE_CHECKING, Literal, Self
from urllib.parse import quote, urlsplit

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    MetadataRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.exceptions import ConnectionError as NoConnectionError

from storage.errors import (
    ObjectNotFoundError,
    StorageAwayError,
    StorageError,
    StorageRefusedError,
    StorageUnavailableError,
)
from storage.lately import Lately
from storage.objects.base import Stored, check_key
from storage.objects.s3_faults import MISSING, PERHAPS_OF_THE_OBJECT, code_of, is_outage, passes
from storage.objects.transfer import CHUNK, Stop, in_thread, refuse_above, save

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from types_boto3_s3 import S3Client

    from storage.objects.location import S3Location
    from storage.settings import StorageSettings

CONNECT_TIMEOUT = 5  # seconds
READ_TIMEOUT = 30  # seconds without a byte
ATTEMPTS = 3  # requests in all, the first one included
THREADS = 4  # a process runs three file jobs at once; one is spare for a transfer that was left alone
PROBE_KEY = ".pushmill-check"  # nobody stores it: that the service can say so shows that it lets us read and list
UNREACHABLE = (
    HTTPClientError,
    IncompleteReadError,
    NoConnectionError,
    CredentialRetrievalError,
    MetadataRetrievalError,
)
UNKNOWN = (NoCredentialsError, PartialCredentialsError)
# With threads of its own, a transfer needs twice the memory and is no faster here.
TRANSFER = TransferConfig(use_threads=False)


class S3Store:
    """Objects in a bucket, below a prefix."""

    def __init__(
        self, client: S3Client, location: S3Location, public_base_url: str | None = None, link_expiry: int = 0
    ) -> None:
        """Take a client, a place and the URL under which browsers read it (default: S3's own).

        With `link_expiry` (seconds) URLs are signed instead, and hold for so long.
        """
        self._link_expiry = link_expiry
        self._client = client
        self._location = location
        self._public_base_url = public_base_url or s3_base_url(client.meta.endpoint_url, location)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="s3")
        self._reads, self._writes = Lately(), Lately()

    @classmethod
    def connect(cls, location: S3Location, settings: StorageSettings) -> Self:
        """Make the client (takes a third of a second, and connects to nothing yet)."""
        client = make_client(settings.s3_endpoint_url, settings.s3_addressing_style, settings.s3_checksums)
        return cls(client, location, settings.storage_public_base_url, settings.storage_link_expiry)

    async def check(self) -> None:
        """Make sure that the bucket is there, that we may read it, and that no job was refused anything lately.

        Raises StorageUnavailableError where somebody has to change something, StorageAwayError for what passes.
        """
        try:
            await in_thread(self._threads, self._probe)
        except (ClientError, BotoCoreError) as error:
            msg = f"STORAGE_URL: the bucket {self._location.bucket!r} can't be used: {reason(error)}"
            is_away = passes(error) if isinstance(error, ClientError) else isinstance(error, UNREACHABLE)
            raise (StorageAwayError if is_away else StorageUnavailableError)(msg) from error
        self._reads.check()
        self._writes.check()

    async def fetch(self, key: str, target: Path, max_bytes: int) -> int:
        """Download to the file `target`; returns the size in bytes."""
        download = partial(self._download, check_key(key), target, max_bytes)
        async with self._refusals_told(self._reads):
            return await in_thread(self._threads, download)

    async def store(self, source: Path, key: str, content_type: str, cache_control: str) -> Stored:
        """Upload the file `source`; returns where it is."""
        headers = {"ContentType": content_type, "CacheControl": cache_control}
        upload = partial(self._upload, source, check_key(key), headers)
        async with self._refusals_told(self._writes):
            await in_thread(self._threads, upload)
        if self._link_expiry:
            return Stored(self._signed(key), key)
        url = f"{self._public_base_url}/{quote(key)}"
        return Stored(url, url)

    async def close(self) -> None:
        """Release connections and threads; nobody waits for a transfer that is still under way."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    @asynccontextmanager
    async def _refusals_told(self, lately: Lately) -> AsyncIterator[None]:
        """StorageAwayError for what is wrong with the service, or with our rights there; else StorageRefusedError."""
        try:
            yield
        except ClientError as error:
            # A trace with the whole of it, which may name accounts, would be kept with the job.
            raise await self._verdict(error, lately) from None
        except (*UNREACHABLE, *UNKNOWN) as error:
            msg = f"the object store does not answer ({type(error).__name__})"
            raise StorageAwayError(msg) from error
        lately.done()

    async def _verdict(self, error: ClientError, lately: Lately) -> StorageError:
        msg = f"the object store refuses {error.operation_name} ({code_of(error)})"
        is_doubtful = lately is self._reads and code_of(error) in PERHAPS_OF_THE_OBJECT
        if not is_outage(error) or (is_doubtful and await self._may_read()):
            return StorageRefusedError(msg)
        lately.refused(msg)
        return StorageAwayError(msg)

    async def _may_read(self) -> bool:
        """Whether others are let to us than the object that was refused."""
        try:
            await in_thread(self._threads, self._probe)
        except (ClientError, BotoCoreError):
            return False
        return True

    def _signed(self, key: str) -> str:
        place = {"Bucket": self._location.bucket, "Key": self._location.full_key(key)}
        return self._client.generate_presigned_url("get_object", Params=place, ExpiresIn=self._link_expiry)

    def _probe(self, _stop: Stop) -> None:
        try:
            response = self._client.get_object(Bucket=self._location.bucket, Key=self._location.full_key(PROBE_KEY))
        except ClientError as error:
            if code_of(error) not in MISSING:
                raise
        else:
            response["Body"].close()

    def _download(self, key: str, target: Path, max_bytes: int, stop: Stop) -> int:
        try:
            response = self._client.get_object(Bucket=self._location.bucket, Key=self._location.full_key(key))
        except ClientError as error:
            if code_of(error) not in MISSING:
                raise
            msg = "no object has the key"
            raise ObjectNotFoundError(msg) from error
        with closing(response["Body"]) as body:
            refuse_above(max_bytes, response.get("ContentLength", 0))
            return save(body.iter_chunks(CHUNK), target, max_bytes, stop)

    def _upload(self, source: Path, key: str, headers: dict[str, str], stop: Stop) -> None:
        with source.open("rb") as file:  # opened here, as boto3 leaves it open when the callback raises
            self._client.upload_fileobj(
                file,
                self._location.bucket,
                self._location.full_key(key),
                ExtraArgs=headers,
                Callback=lambda _count: stop.check(),
                Config=TRANSFER,
            )


def make_client(
    endpoint_url: str | None,
    addressing_style: Literal["auto", "path", "virtual"] = "auto",
    checksums: Literal["when_required", "when_supported"] = "when_required",
) -> S3Client:
    """An S3 client; credentials and region are found by boto3 as everywhere."""
    config = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        max_pool_connections=THREADS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        # Since 1.36 boto3 sends checksums that R2, B2 and older MinIO refuse: https://github.com/boto/s3transfer/issues/327
        request_checksum_calculation=checksums,
        response_checksum_validation=checksums,
        s3={"addressing_style": addressing_style},
        user_agent="pushmill",  # boto3's own is put together anew for each request: a fifth of what one costs
    )
    return boto3.client("s3", endpoint_url=endpoint_url, config=config)


def s3_base_url(endpoint_url: str, location: S3Location) -> str:
    """The URL of the store's objects at S3 itself: AWS has a host for each bucket, other services a path."""
    endpoint = urlsplit(endpoint_url)
    host = endpoint.hostname or ""
    is_aws = host.endswith((".amazonaws.com", ".amazonaws.com.cn"))
    if is_aws and "." not in location.bucket:  # AWS's certificate covers one label
        base = f"{endpoint.scheme}://{location.bucket}.{endpoint.netloc}"
    else:
        base = f"{endpoint_url.rstrip('/')}/{location.bucket}"
    return f"{base}/{quote(location.prefix)}".rstrip("/")


def reason(error: ClientError | BotoCoreError) -> str:
    """Why S3 refused, in one line that says what to set where that is known."""
    if isinstance(error, NoCredentialsError):
        return "no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    if not isinstance(error, ClientError):
        return " ".join(str(error).split())
    code = code_of(error)
    if code == "AccessDenied":
        return "access denied; allow s3:ListBucket on the bucket, s3:GetObject and s3:PutObject on its objects"
    return " ".join(f"{code}: {error.response.get('Error', {}).get('Message', '')}".split())
