"""Make a VAPID key pair: `python -m scripts.generate_vapid_keys mailto:ops@your-domain.com`.

It prints lines for the `.env` or the environment of both the worker and the Next.js app. The keys have the form of `npx
web-push generate-vapid-keys`: base64url without padding. The browser subscribes with the public key unchanged. The
prefix NEXT_PUBLIC_ makes it readable in the page (https://nextjs.org/docs/app/guides/environment-variables).
"""

from __future__ import annotations

import base64
import sys
from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from processors.push.subject import check_subject
from scripts import terminal

PRIVATE_BYTES = 32
PLACEHOLDER = "mailto:ops@your-domain.com"

SubjectArgument = Annotated[str, typer.Argument(help="Contact for push services: mailto:... or https://...")]

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


def make_pair() -> tuple[str, str]:
    """A new private key and its public key, each in base64url without padding."""
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_numbers().private_value.to_bytes(PRIVATE_BYTES)
    public = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return _base64url(private), _base64url(public)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@app.command(help=__doc__)
def main(subject: SubjectArgument = PLACEHOLDER) -> None:
    """Print a pair."""
    try:
        check_subject(subject)
    except ValueError as error:
        terminal.end(f"{subject}: {error}", terminal.USAGE)
    private, public = make_pair()
    print(f"VAPID_PUBLIC_KEY={public}")
    print(f"NEXT_PUBLIC_VAPID_PUBLIC_KEY={public}")
    print(f"VAPID_PRIVATE_KEY={private}")
    print(f"VAPID_SUBJECT={subject}")
    if subject == PLACEHOLDER:
        # Not among the lines, which may go straight into a file.
        print("Put your own address, or your site's https URL, into VAPID_SUBJECT.", file=sys.stderr)


if __name__ == "__main__":
    app()
