"""Message encryption (RFC 8291 over RFC 8188): by pywebpush, but for batches."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING

from processors.push.delivery import MAX_PLAINTEXT
from processors.push.keys import keys_of
from processors.push.seal import seal

if TYPE_CHECKING:
    from processors.push.delivery import Message
    from storage.ports import Subscription


def encrypt(subscription: Subscription, message: Message) -> bytes:
    """Encrypt for one subscription: `aes128gcm`, 103 bytes longer than the message's body.

    Of pywebpush its encryption alone is used; what it would send would follow redirects and wait for ever. Raises
    InvalidKeysError, and ValueError for a body of more than 3,993 bytes, of which pywebpush makes two records.
    """
    if len(message.body) > MAX_PLAINTEXT:
        msg = f"a push message holds {MAX_PLAINTEXT:,} bytes, not {len(message.body):,}"
        raise ValueError(msg)
    point, receiver, secret = keys_of(subscription)
    if message.is_batch:
        return seal(message.body, point, receiver, secret)
    from pywebpush import WebPusher  # noqa: PLC0415 -- it imports requests, 6 MiB that an idle worker does without

    keys = {"p256dh": urlsafe_b64encode(point), "auth": urlsafe_b64encode(secret)}
    body: bytes = WebPusher({"endpoint": "", "keys": keys}).encode(message.body)["body"]
    return body
