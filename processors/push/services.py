"""The push services that are known by name. It imports little: the web process reads it, too."""

from __future__ import annotations

from urllib.parse import urlsplit

from processors.public_hosts import is_within

WINDOWS = "notify.windows.com"
# Host, which stands for all names under it as well -> whose it is. Of Google's the first serves Chrome and most Android
# browsers, the second Chromium builds without Google's keys, the third old subscriptions.
SERVICES = {
    "fcm.googleapis.com": "google",
    "jmt17.google.com": "google",
    "android.googleapis.com": "google",
    "push.services.mozilla.com": "mozilla",
    "push.apple.com": "apple",
    WINDOWS: "microsoft",
}
OTHER = "other"  # any origin that is not told apart
REFUSED = "refused"  # in place of the origin of an endpoint that must not be called


def service_of(origin: str) -> str:
    """Whose push service an origin is: a name of SERVICES, `refused` where nobody was called, or `other`."""
    if origin == REFUSED:
        return REFUSED
    host = urlsplit(origin).hostname or ""
    return next((name for domain, name in SERVICES.items() if is_within(host, domain)), OTHER)
