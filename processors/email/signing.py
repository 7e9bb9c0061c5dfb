"""DKIM (RFC 6376): the signature of the app's own domain, where neither a provider nor a relay signs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from queue_lib.errors import ConfigurationError

if TYPE_CHECKING:
    from processors.email.settings import EmailSettings

# Those of them that a mail has. List-Unsubscribe must be among them (RFC 8058, section 4).
SIGNED = (
    *("from", "to", "cc", "reply-to", "subject", "date", "message-id", "mime-version", "content-type"),
    *("list-unsubscribe", "list-unsubscribe-post"),
)


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs messages. It blocks for 25 ms: dkimpy computes RSA in Python."""

    domain: bytes
    selector: bytes
    key: bytes = field(repr=False)

    def signed(self, message: bytes) -> bytes:
        """The message with a signature in front."""
        from dkim import dkim_sign  # noqa: PLC0415 -- an extra

        head = message.partition(b"\r\n\r\n")[0].lower()
        present = [name.encode() for name in SIGNED if b"\r\n%b:" % name.encode() in b"\r\n" + head]
        signature = dkim_sign(
            message,
            self.selector,
            self.domain,
            self.key,
            canonicalize=(b"relaxed", b"relaxed"),
            include_headers=present,
        )
        return bytes(signature) + message


def signer_of(settings: EmailSettings) -> Signer | None:
    """The signer, if one is set up; it is tried once. Raises ConfigurationError if it can't sign."""
    key = settings.email_dkim_private_key
    if key is None or settings.email_dkim_domain is None or settings.email_dkim_selector is None:
        return None
    signer = Signer(
        settings.email_dkim_domain.encode(), settings.email_dkim_selector.encode(), key.get_secret_value().encode()
    )
    try:
        signer.signed(b"From: a@b.example\r\n\r\n")
    except ImportError as error:
        msg = "EMAIL_DKIM_DOMAIN: signing needs dkimpy: pip install dkimpy"
        raise ConfigurationError(msg) from error
    except Exception as error:
        msg = f"EMAIL_DKIM_PRIVATE_KEY: nothing can be signed with it ({type(error).__name__}); it must be RSA in PEM"
        raise ConfigurationError(msg) from error
    return signer
