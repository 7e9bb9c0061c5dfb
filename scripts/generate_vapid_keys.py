"""Make a VAPID key pair: `python -m scripts.generate_vapid_keys`.

It prints two lines for the environment of the worker and of the Next.js app, in the format of `npx web-push
generate-vapid-keys`: base64url without padding. The browser subscribes with the public key, as it is.
"""

from __future__ import annotations

import base64

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PRIVATE_BYTES = 32


def make_pair() -> tuple[str, str]:
    """A new private key and its public key, each in base64url without padding."""
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_numbers().private_value.to_bytes(PRIVATE_BYTES)
    public = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return _base64url(private), _base64url(public)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def main() -> None:
    """Print a pair."""
    private, public = make_pair()
    print(f"VAPID_PUBLIC_KEY={public}")
    print(f"VAPID_PRIVATE_KEY={private}")


if __name__ == "__main__":
    main()
