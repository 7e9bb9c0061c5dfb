"""What an object store's refusal means, by S3's codes. Pure.

https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html; other services have codes of their own beside them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

MISSING = frozenset({"NoSuchKey", "404"})
SERVER_ERROR = 500  # and above: the service's own trouble
TOO_MANY_REQUESTS = 429
PASSING = frozenset({"OperationAborted", "RequestTimeout", "RequestTimeTooSkewed"})  # the last one: our clock is wrong
# Whatever its code: who we are, what we owe, how often we ask.
STATUSES = frozenset({401, 402, 403, 407, TOO_MANY_REQUESTS})
# What the status alone does not say: it passes, or it is ours to mend, and no job is to blame.
CODES = frozenset(
    {
        "AuthorizationHeaderMalformed",  # 400: another region
        "ExpiredToken",  # 400: the credentials' time is over
        "IllegalLocationConstraintException",
        "InvalidToken",
        "NoSuchBucket",  # 404, and not the object's
        "OperationAborted",  # 409
        "PermanentRedirect",  # 301: another region
        "QuotaExceeded",
        "RequestExpired",
        "RequestTimeout",  # 400
        "TokenRefreshRequired",
    }
)
# 403, but this object's own: it is archived.
OF_THE_OBJECT = frozenset({"InvalidObjectState"})
# 403, and perhaps this object's own: its policy or its encryption key may not be ours.
PERHAPS_OF_THE_OBJECT = frozenset({"AccessDenied", "403", "Forbidden"})


def code_of(error: ClientError) -> str:
    """S3's word for it."""
    return error.response.get("Error", {}).get("Code", "")


def status_of(error: ClientError) -> int:
    """HTTP's."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def is_outage(error: ClientError) -> bool:
    """Whether the request is not at fault: it is the service's trouble, or how this worker is set up there."""
    code, status = code_of(error), status_of(error)
    return code not in OF_THE_OBJECT and (status >= SERVER_ERROR or status in STATUSES or code in CODES)


def passes(error: ClientError) -> bool:
    """Whether it passes by itself, and so is no reason not to start."""
    status = status_of(error)
    return status >= SERVER_ERROR or status == TOO_MANY_REQUESTS or code_of(error) in PASSING
