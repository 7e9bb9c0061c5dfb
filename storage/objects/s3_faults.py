"""What an object store's refusal means, by S3's codes. Pure.

https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html; other services have further codes of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

MISSING = frozenset({"NoSuchKey", "404"})
SERVER_ERROR = 500  # from here on: the service's own fault
TOO_MANY_REQUESTS = 429
PASSING = frozenset({"OperationAborted", "RequestTimeout", "RequestTimeTooSkewed"})  # the last one: our clock is wrong
# By status, for any code: credentials, payment, request rate.
STATUSES = frozenset({401, 402, 403, 407, TOO_MANY_REQUESTS})
# By code, where the status is not enough: outages and faults of the set-up, for which no job is to blame.
CODES = frozenset(
    {
        "AuthorizationHeaderMalformed",  # 400: another region
        "ExpiredToken",  # 400: the credentials have expired
        "IllegalLocationConstraintException",
        "InvalidToken",
        "NoSuchBucket",  # 404, but of the bucket
        "OperationAborted",  # 409
        "PermanentRedirect",  # 301: another region
        "QuotaExceeded",
        "RequestExpired",
        "RequestTimeout",  # 400
        "TokenRefreshRequired",
    }
)
# 403 for this object only: it is archived.
OF_THE_OBJECT = frozenset({"InvalidObjectState"})
# 403, perhaps for this object only: it may have a policy or an encryption key of its own.
PERHAPS_OF_THE_OBJECT = frozenset({"AccessDenied", "403", "Forbidden"})


def code_of(error: ClientError) -> str:
    """S3's error code."""
    return error.response.get("Error", {}).get("Code", "")


def status_of(error: ClientError) -> int:
    """The HTTP status."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def is_outage(error: ClientError) -> bool:
    """Whether the service or the worker's set-up is at fault, not the request."""
    code, status = code_of(error), status_of(error)
    return code not in OF_THE_OBJECT and (status >= SERVER_ERROR or status in STATUSES or code in CODES)


def passes(error: ClientError) -> bool:
    """Whether it may pass by itself, so that it must not prevent the start."""
    status = status_of(error)
    return status >= SERVER_ERROR or status == TOO_MANY_REQUESTS or code_of(error) in PASSING
