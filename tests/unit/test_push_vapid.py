"""VAPID: the keys people have, and how often tokens are signed."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from processors.push.vapid import (
    MAX_TOKENS,
    RENEW_AFTER,
    RENEW_AGAIN_AFTER,
    VapidSigner,
    encode_public_key,
    parse_private_key,
    parse_public_key,
)
from tests.support.push_service import make_vapid_keys

PRIVATE, PUBLIC = make_vapid_keys()
ORIGIN = "https://fcm.googleapis.com"
HOUR = 3600


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self, now: float) -> None:
        """Begin at `now`, in seconds since the epoch."""
        self.now = now

    def __call__(self) -> float:
        """The time."""
        return self.now


def claims(header: str) -> Any:
    """The claims in an Authorization header."""
    part = header.split("t=")[1].split(",", maxsplit=1)[0].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def pem(key: ec.EllipticCurvePrivateKey, form: PrivateFormat = PrivateFormat.PKCS8) -> str:
    """A private key as PEM."""
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()


@pytest.mark.parametrize("text", [PRIVATE, f"{PRIVATE}=", f"  {PRIVATE}\n"])
def test_a_key_from_the_npm_package_is_read(text: str) -> None:
    """The private key that `web-push` prints gives the public key that it prints next to it."""
    assert encode_public_key(parse_private_key(text).public_key()) == PUBLIC


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("line_break", ["\n", "\\n"])
def test_a_pem_key_is_read(form: PrivateFormat, line_break: str) -> None:
    r"""PEM is read, also with `\n` written out as dashboards need it."""
    key = parse_private_key(PRIVATE)

    read = parse_private_key(pem(key, form).replace("\n", line_break))

    assert key.private_numbers() == read.private_numbers()


def test_a_pem_public_key_is_read() -> None:
    """A public key in PEM becomes base64url, as the browser needs it."""
    public = parse_private_key(PRIVATE).public_key()

    assert parse_public_key(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()) == PUBLIC


@pytest.mark.parametrize(
    "text",
    [
        "",
        PUBLIC,
        PRIVATE[:-1],
        PRIVATE + "A",
        PRIVATE[:-1] + "!",
        "A" * 43,
        "_" * 43,
        "-----BEGIN nonsense",
        pem(ec.generate_private_key(ec.SECP384R1())),
    ],
)
def test_a_wrong_private_key_is_a_sentence_without_the_key(text: str) -> None:
    """A value that is no private key on P-256 is refused, and the message does not repeat it."""
    with pytest.raises(ValueError, match="not a VAPID private key") as caught:
        parse_private_key(text)

    assert not text or text not in str(caught.value)


@pytest.mark.parametrize("text", ["", PRIVATE, PUBLIC[:-1], "B" + "A" * 86, "-----BEGIN nonsense"])
def test_a_wrong_public_key_is_a_sentence(text: str) -> None:
    """A value that is no point on P-256 is refused."""
    with pytest.raises(ValueError, match="not a VAPID public key"):
        parse_public_key(text)


def test_the_token_names_the_service_and_ends_in_twelve_hours() -> None:
    """A header holds the public key and a token for one origin, with half of the life that services allow."""
    header = VapidSigner(parse_private_key(PRIVATE), "mailto:ops@pushmill.dev", Clock(1000.9)).header(ORIGIN)

    assert header.startswith("vapid t=")
    assert header.endswith(f",k={PUBLIC}")
    assert claims(header) == {"aud": ORIGIN, "exp": 1000 + 12 * HOUR, "sub": "mailto:ops@pushmill.dev"}


def test_a_subject_that_py_vapid_refuses_is_signed() -> None:
    """An https URL with a path is valid, whatever the library's own check says."""
    signer = VapidSigner(parse_private_key(PRIVATE), "https://pushmill.dev/contact", Clock(0))

    assert claims(signer.header(ORIGIN))["sub"] == "https://pushmill.dev/contact"


def test_one_token_serves_an_origin_until_it_is_renewed() -> None:
    """Tokens are kept for six of their twelve hours; Apple asks for new ones at most hourly."""
    clock = Clock(0)
    signer = VapidSigner(parse_private_key(PRIVATE), "mailto:ops@pushmill.dev", clock)
    first = signer.header(ORIGIN)

    clock.now = RENEW_AFTER - 1
    assert signer.header(ORIGIN) == first
    clock.now = RENEW_AFTER
    assert claims(signer.header(ORIGIN))["exp"] == RENEW_AFTER + 12 * HOUR


def test_each_origin_has_its_own_token() -> None:
    """The second service's token does not have the first one's origin."""
    signer = VapidSigner(parse_private_key(PRIVATE), "mailto:ops@pushmill.dev", Clock(0))

    origins = [ORIGIN, "https://web.push.apple.com", ORIGIN]

    assert origins == [claims(signer.header(origin))["aud"] for origin in origins]


def test_a_clock_that_is_set_back_renews_the_token() -> None:
    """A token signed in what is now the future would expire too far ahead, and is replaced."""
    clock = Clock(100 * HOUR)
    signer = VapidSigner(parse_private_key(PRIVATE), "mailto:ops@pushmill.dev", clock)
    signer.header(ORIGIN)

    clock.now = 0

    assert claims(signer.header(ORIGIN))["exp"] == 12 * HOUR


def test_tokens_do_not_pile_up() -> None:
    """Invented hosts under a service's domain do not fill the memory."""
    signer = VapidSigner(parse_private_key(PRIVATE), "mailto:ops@pushmill.dev", Clock(0))

    for number in range(MAX_TOKENS + 1):
        signer.header(f"https://{number}.notify.windows.com")

    assert len(signer._tokens) == MAX_TOKENS
    assert "https://0.notify.windows.com" not in signer._tokens


def test_a_full_table_keeps_the_token_that_was_signed_last() -> None:
    """A renewed token replaces no other, and is not the next to be dropped."""
    clock = Clock(0)
    signer = VapidSigner(parse_private_key(PRIVATE), "mailto:ops@pushmill.dev", clock)
    for number in range(MAX_TOKENS):
        signer.header(f"https://{number}.notify.windows.com")
    clock.now = RENEW_AFTER
    renewed = [signer.header(f"https://{number}.notify.windows.com") for number in (1, 0)]
    assert len(signer._tokens) == MAX_TOKENS

    signer.header(ORIGIN)

    assert renewed == [signer._tokens[f"https://{number}.notify.windows.com"].header for number in (1, 0)]


def test_a_refused_token_is_signed_anew_once_a_minute() -> None:
    """A wrong key stays wrong, and must not sign for each message of a fan-out."""
    clock = Clock(0)
    signer = VapidSigner(parse_private_key(PRIVATE), "mailto:ops@pushmill.dev", clock)
    first = signer.header(ORIGIN)

    clock.now = RENEW_AGAIN_AFTER - 1
    assert signer.renew(ORIGIN) == first
    clock.now = RENEW_AGAIN_AFTER
    second = signer.renew(ORIGIN)
    assert claims(second)["exp"] == RENEW_AGAIN_AFTER + 12 * HOUR
    clock.now += RENEW_AGAIN_AFTER - 1
    assert signer.renew(ORIGIN) == signer.header(ORIGIN) == second


def test_a_clock_that_is_set_back_renews_a_refused_token() -> None:
    """The wrong clock may be why it was refused."""
    clock = Clock(100 * HOUR)
    signer = VapidSigner(parse_private_key(PRIVATE), "mailto:ops@pushmill.dev", clock)
    signer.header(ORIGIN)

    clock.now = 99 * HOUR

    assert claims(signer.renew(ORIGIN))["exp"] == 111 * HOUR


def test_renewing_leaves_other_origins_alone() -> None:
    """Each push service refuses on its own."""
    clock = Clock(0)
    signer = VapidSigner(parse_private_key(PRIVATE), "mailto:ops@pushmill.dev", clock)
    apple = signer.header("https://web.push.apple.com")
    clock.now = HOUR

    assert claims(signer.renew(ORIGIN))["aud"] == ORIGIN
    assert signer.header("https://web.push.apple.com") == apple


def test_a_signer_has_its_public_key() -> None:
    """It is the one that browsers subscribe with."""
    assert VapidSigner(parse_private_key(PRIVATE), "mailto:ops@pushmill.dev").public_key == PUBLIC
