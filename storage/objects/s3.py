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
from storage.objects.base import PAGE, Deleted, Listed, Stored, check_key
from storage.objects.s3_clearing import deleted, listed, send_md5
from storage.objects.s3_faults import MISSING, PERHAPS_OF_THE_OBJECT, code_of, is_outage, passes
from storage.objects.transfer import CHUNK, Stop, in_thread, refuse_above, save

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence
    from pathlib import Path

    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import (
        ListObjectsV2OutputTypeDef,
        ListObjectsV2RequestTypeDef,
        ObjectIdentifierTypeDef,
    )

    from storage.objects.location import S3Location
    from storage.settings import ObjectsSettings

CONNECT_TIMEOUT = 5  # seconds
READ_TIMEOUT = 30  # seconds without a byte
ATTEMPTS = 3  # requests in all, with the first one
THREADS = 4  # a process runs three file jobs at once; the fourth is for an abandoned transfer
PROBE_KEY = ".pushmill-check"  # never stored: the answer that it is missing shows that we may read and list
UNREACHABLE = (
    HTTPClientError,
    IncompleteReadError,
    NoConnectionError,
    CredentialRetrievalError,
    MetadataRetrievalError,
)
UNKNOWN = (NoCredentialsError, PartialCredentialsError)
# boto3's own threads would need twice the memory and be no faster here.
TRANSFER = TransferConfig(use_threads=False)


class S3Store:
    """Objects in a bucket, below a prefix."""

    def __init__(
        self, client: S3Client, location: S3Location, public_base_url: str | None = None, link_expiry: int = 0
    ) -> None:
        """`public_base_url`: the URL under which browsers read the objects (default: S3's own).

        With `link_expiry` (seconds) URLs are signed, and valid for that long.
        """
        self._link_expiry = link_expiry
        self._client = client
        self._location = location
        self._public_base_url = public_base_url or s3_base_url(client.meta.endpoint_url, location)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="s3")
        self._reads, self._writes = Lately(), Lately()
        self._clears = Lately()  # not of readiness: other jobs can work where nothing may be listed or deleted

    @classmethod
    def connect(cls, location: S3Location, settings: ObjectsSettings) -> Self:
        """Create the client, which takes a third of a second. It does not connect yet."""
        client = make_client(settings.s3_endpoint_url, settings.s3_addressing_style, settings.s3_checksums)
        return cls(client, location, settings.storage_public_base_url, settings.storage_link_expiry)

    async def check(self) -> None:
        """Check that the bucket exists, that we may read it, and that no job was refused within the last minute.

        Raises StorageUnavailableError if somebody must change something, StorageAwayError if it may pass by itself.
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
        """Download to the file `target`. Returns the size in bytes."""
        download = partial(self._download, check_key(key), target, max_bytes)
        async with self._refusals_told(self._reads):
            return await in_thread(self._threads, download)

    async def store(
        self, source: Path, key: str, content_type: str, cache_control: str, disposition: str | None = None
    ) -> Stored:
        """Upload the file `source`. Returns its URLs."""
        headers = {"ContentType": content_type, "CacheControl": cache_control}
        if disposition is not None:
            headers["ContentDisposition"] = disposition
        upload = partial(self._upload, source, check_key(key), headers)
        async with self._refusals_told(self._writes):
            await in_thread(self._threads, upload)
        if self._link_expiry:
            return Stored(self._signed(key, self._link_expiry), key)
        url = f"{self._public_base_url}/{quote(key)}"
        return Stored(url, url)

    async def signed_link(self, key: str, seconds: int) -> str | None:
        """A signed URL: for 7 days at most, and no longer than credentials that expire."""
        async with self._refusals_told(self._reads):
            return self._signed(check_key(key), seconds)

    async def list(self, folder: str) -> AsyncGenerator[Sequence[Listed]]:
        """Ask for pages, each with a request of its own."""
        check_key(folder)
        after: str | None = None
        while True:
            async with self._refusals_told(self._clears):
                page = await in_thread(self._threads, partial(self._page, folder, after))
            yield list(listed(page.get("Contents", ()), self._location, folder))
            after = page.get("NextContinuationToken")
            if not after:
                return

    async def delete(self, objects: Sequence[Listed]) -> Deleted:
        """Delete a thousand with each request."""
        keys = [check_key(each.key) for each in objects]
        gone: frozenset[str] = frozenset()
        refused: dict[str, str] = {}
        failed: dict[str, str] = {}
        for start in range(0, len(keys), PAGE):
            async with self._refusals_told(self._clears):
                done = await in_thread(self._threads, partial(self._delete, keys[start : start + PAGE]))
            gone |= done.keys
            refused |= done.refused
            failed |= done.failed
        return Deleted(gone, refused, failed)

    async def close(self) -> None:
        """Release connections and threads, without waiting for running transfers."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    @asynccontextmanager
    async def _refusals_told(self, lately: Lately) -> AsyncIterator[None]:
        """Turn errors into StorageAwayError (the service or our permissions) or StorageRefusedError (the request)."""
        try:
            yield
        except ClientError as error:
            # Not chained: the job keeps the trace, and S3's message may name accounts.
            raise await self._verdict(error, lately) from None
        except (*UNREACHABLE, *UNKNOWN) as error:
            msg = f"the object store does not answer ({type(error).__name__})"
            raise StorageAwayError(msg) from error
        lately.done()

    async def _verdict(self, error: ClientError, lately: Lately) -> StorageError:
        msg = f"the object store refuses {error.operation_name} ({code_of(error)})"
        is_doubtful = lately is not self._writes and code_of(error) in PERHAPS_OF_THE_OBJECT
        if not is_outage(error) or (is_doubtful and await self._may_read()):
            return StorageRefusedError(msg)
        lately.refused(msg)
        return StorageAwayError(msg)

    async def _may_read(self) -> bool:
        """Whether we may read other objects than the one that was refused."""
        try:
            await in_thread(self._threads, self._probe)
        except (ClientError, BotoCoreError):
            return False
        return True

    def _signed(self, key: str, seconds: int) -> str:
        place = {"Bucket": self._location.bucket, "Key": self._location.full_key(key)}
        return self._client.generate_presigned_url("get_object", Params=place, ExpiresIn=seconds)

    def _probe(self, _stop: Stop) -> None:
        try:
            response = self._client.get_object(Bucket=self._location.bucket, Key=self._location.full_key(PROBE_KEY))
        except ClientError as error:
            if code_of(error) not in MISSING:
                raise
        else:
            response["Body"].close()

    def _page(self, folder: str, after: str | None, _stop: Stop) -> ListObjectsV2OutputTypeDef:
        wanted: ListObjectsV2RequestTypeDef = {
            "Bucket": self._location.bucket,
            "Prefix": f"{self._location.full_key(folder)}/",
            "MaxKeys": PAGE,
        }
        if after is not None:
            wanted["ContinuationToken"] = after
        return self._client.list_objects_v2(**wanted)

    def _delete(self, keys: Sequence[str], _stop: Stop) -> Deleted:
        wanted: list[ObjectIdentifierTypeDef] = [{"Key": self._location.full_key(key)} for key in keys]
        answer = self._client.delete_objects(Bucket=self._location.bucket, Delete={"Objects": wanted, "Quiet": True})
        return deleted(keys, answer.get("Errors", ()), self._location)

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
        with source.open("rb") as file:  # opened here, because boto3 leaves it open if the callback raises
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
    """An S3 client. boto3 finds credentials and region as usual."""
    config = Config(
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        max_pool_connections=THREADS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        # Since 1.36 boto3 sends checksums that R2, B2 and older MinIO refuse: https://github.com/boto/s3transfer/issues/327
        request_checksum_calculation=checksums,
        response_checksum_validation=checksums,
        s3={"addressing_style": addressing_style},
        user_agent="pushmill",  # boto3 builds its own for each request, which takes a fifth of the request's time
    )
    client = boto3.client("s3", endpoint_url=endpoint_url, config=config)
    send_md5(client)
    return client


def s3_base_url(endpoint_url: str, location: S3Location) -> str:
    """The base URL of the objects at S3 itself. AWS has a host for each bucket, other services have a path."""
    endpoint = urlsplit(endpoint_url)
    host = endpoint.hostname or ""
    is_aws = host.endswith((".amazonaws.com", ".amazonaws.com.cn"))
    if is_aws and "." not in location.bucket:  # AWS's certificate covers one label
        base = f"{endpoint.scheme}://{location.bucket}.{endpoint.netloc}"
    else:
        base = f"{endpoint_url.rstrip('/')}/{location.bucket}"
    return f"{base}/{quote(location.prefix)}".rstrip("/")


def reason(error: ClientError | BotoCoreError) -> str:
    """Why S3 refused, in one line; what to set, if that is known."""
    if isinstance(error, NoCredentialsError):
        return "no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    if not isinstance(error, ClientError):
        return " ".join(str(error).split())
    code = code_of(error)
    if code == "AccessDenied":
        return "access denied; allow s3:ListBucket on the bucket, s3:GetObject and s3:PutObject on its objects"
    return " ".join(f"{code}: {error.response.get('Error', {}).get('Message', '')}".split())
