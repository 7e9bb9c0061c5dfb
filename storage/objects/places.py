"""Where the addresses of stored objects are, as far as the settings say it: for readers that open no store."""

from __future__ import annotations

import calendar
import re
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlsplit

from storage.objects.location import LocalLocation, parse_location

if TYPE_CHECKING:
    from storage.settings import ObjectsSettings

AWS = ("s3", "s3.*", "s3.dualstack.*")  # hosts of AWS, with the region in place of the star
MOST = 10**12  # seconds


def public_places(settings: ObjectsSettings) -> tuple[str, ...]:
    """The addresses below which objects are, public or signed. Each ends in a slash; `*` is a label of a host."""
    base = settings.storage_public_base_url
    location = parse_location(settings.storage_url)
    given = [f"{base}/"] if base else []
    if isinstance(location, LocalLocation):
        return tuple(given)
    below = f"{quote(location.prefix)}/" if location.prefix else ""
    if settings.s3_endpoint_url:
        endpoint = urlsplit(settings.s3_endpoint_url)
        path = f"{settings.s3_endpoint_url}/{location.bucket}/{below}"
        return (*given, path, f"{endpoint.scheme}://{location.bucket}.{endpoint.netloc}/{below}")
    hosts = [f"{host}.amazonaws.com" for host in AWS] + [f"{host}.amazonaws.com.cn" for host in AWS[1:]]
    of_bucket = [f"https://{location.bucket}.{host}/{below}" for host in hosts]
    return (*given, *of_bucket, *(f"https://{host}/{location.bucket}/{below}" for host in hosts))


def expires_at(url: str) -> float | None:
    """When a signed address expires, in seconds since the epoch; None for one that does not, or does not say it.

    The fields are those of AWS's signatures 4 and 2.
    """
    try:
        fields = {name: values[0] for name, values in parse_qs(urlsplit(url).query, max_num_fields=50).items()}
    except ValueError:
        return None
    day, left, whole = (fields.get(name, "") for name in ("X-Amz-Date", "X-Amz-Expires", "Expires"))
    if re.fullmatch(r"\d{8}T\d{6}Z", day, re.ASCII) and re.fullmatch(r"\d{1,7}", left, re.ASCII):
        try:
            return calendar.timegm(time.strptime(day, "%Y%m%dT%H%M%SZ")) + float(left)
        except (ValueError, OverflowError):
            return None
    return float(whole) if re.fullmatch(r"\d{1,12}", whole, re.ASCII) else None
