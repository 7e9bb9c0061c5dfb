"""What an operator can do about each end of a message. Pure."""

from __future__ import annotations

from processors.push.delivery import Kind

HINTS = {
    Kind.SENT: "the push service took it; if nothing is shown, look at the browser's permission and service worker",
    Kind.GONE: "the browser has ended it: the next push deletes the row or switches it off",
    Kind.KEY_MISMATCH: "made with another VAPID key: put that into VAPID_PREVIOUS_PRIVATE_KEYS, or subscribe again",
    Kind.UNREADABLE_KEYS: "p256dh or auth is no key: subscribe again, and store them as the browser gives them",
    Kind.REFUSED_ENDPOINT: "no known push service: PUSH_ALLOWED_HOSTS adds a host",
    Kind.CONFIGURATION: "the push service refuses this server: check the VAPID_* variables and its clock",
    Kind.REFUSED: "refused again and again while others are taken: subscribe again",
    Kind.MESSAGE: "the push service refuses this message, and may take another one",
    Kind.REDIRECT: "redirects are not followed: the endpoint is not the push service's own",
    Kind.THROTTLED: "the push service asks for a pause: a job would try again later",
    Kind.TRANSIENT: "no answer, or a fault of the push service: a job would try again",
    Kind.EXPIRED: "its time was over",
}
