"""The push services that are known by name. It imports little: the web process imports it, too."""

from __future__ import annotations

from urllib.parse import urlsplit

from processors.public_hosts import is_within

WINDOWS = "notify.windows.com"
# Host (which includes all names under it) -> its owner. Google's first host serves Chrome and most Android browsers,
# the second Chromium builds without Google's keys, the third old subscriptions.
SERVICES = {
    "fcm.googleapis.com": "google",
    "jmt17.google.com": "google",
    "android.googleapis.com": "google",
    "push.services.mozilla.com": "mozilla",
    "push.apple.com": "apple",
    WINDOWS: "microsoft",
}
OTHER = "other"  # any other origin
REFUSED = "refused"  # in place of the origin of an endpoint that must not be called


def service_of(origin: str) -> str:
    """The owner of an origin, as SERVICES names it; or `refused`, or `other`."""
    if origin == REFUSED:
        return REFUSED
    host = urlsplit(origin).hostname or ""
    return next((name for domain, name in SERVICES.items() if is_within(host, domain)), OTHER)
