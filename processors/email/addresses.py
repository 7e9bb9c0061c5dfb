"""Addresses of mails as apps write them. One string is one address: a user's own text must never become a list. Pure.

No fault repeats the address.
"""

from __future__ import annotations

import re
import unicodedata

MAX_LOCAL, MAX_ADDRESS, MAX_LABEL = 64, 254, 63  # bytes (RFC 5321, section 4.5.3.1; RFC 1035)
MAX_NAME = 200  # characters
NO_ADDRESS = "not one address, such as ada@example.com; several go into an array"

_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+")  # atext and the dot (RFC 5322, section 3.2.3)
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?")
_IN_BRACKETS = re.compile(r"\s*(?:\"(?P<quoted>(?:[^\"\\]|\\.)*)\"|(?P<plain>[^\"<>,;@]*))\s*<(?P<address>[^<>]*)>\s*")
_CONTROLS = {"Cc", "Cs", "Zl", "Zp"}  # control characters, halves of pairs, line and paragraph separators


def split(text: str) -> tuple[str, str]:
    """Name and address of `Ada <ada@example.com>`, or of an address alone. Raises ValueError for any other text."""
    if "<" not in text:
        return "", address(text.strip(" "))
    if (found := _IN_BRACKETS.fullmatch(text)) is None:
        raise ValueError(NO_ADDRESS)
    name = found["plain"] if found["quoted"] is None else re.sub(r"\\(.)", r"\1", found["quoted"])
    return display_name(name), address(found["address"].strip(" "))


def address(text: str) -> str:
    """The address, as SMTP takes it. Raises ValueError unless it is exactly one, without name and quotes.

    An address may have other letters than ASCII's on both sides (RFC 6531). Those of the domain are turned into ASCII
    (IDNA 2008), where `idna` is installed: a worker that sends mails has it. Those that only look like ASCII's, such as
    full-width ones, are refused: servers that fold them would send the mail to somebody else.
    """
    if not _is_plain(text):
        raise ValueError(NO_ADDRESS)
    text = unicodedata.normalize("NFC", text)
    local, _, domain = text.rpartition("@")
    if '"' in local:
        msg = "an address with a quoted part before the @ can't be sent to"
        raise ValueError(msg)
    if not (_is_local(local) and _is_domain(domain)):
        raise ValueError(NO_ADDRESS)
    text = f"{local}@{_as_ascii(domain)}"
    if len(text.encode()) > MAX_ADDRESS:
        raise ValueError(NO_ADDRESS)
    return text


def _is_local(local: str) -> bool:
    """Dots may be anywhere: Japanese carriers once gave out such addresses."""
    ascii_only = "".join(character if character.isascii() else "a" for character in local)
    return bool(_ATOM.fullmatch(ascii_only)) and _is_plain(local) and len(local.encode()) <= MAX_LOCAL


def _is_domain(domain: str) -> bool:
    """Labels of letters, digits and hyphens. `idna` decides about those beyond ASCII."""
    ascii_only = "".join(character if character.isascii() else "a" for character in domain)
    labels = ascii_only.split(".")
    return all(_LABEL.fullmatch(label) and len(label) <= MAX_LABEL for label in labels) and _is_plain(domain)


def _as_ascii(domain: str) -> str:
    if domain.isascii():
        return domain
    try:
        import idna  # noqa: PLC0415 -- few need it
    except ImportError:
        return domain
    try:
        return idna.encode(domain.lower()).decode()
    except idna.IDNAError as error:
        raise ValueError(NO_ADDRESS) from error


def _is_plain(text: str) -> bool:
    """Whether what is not ASCII is made of letters, digits and marks, none of which stands for another character."""
    others = [character for character in text if not character.isascii()]
    return all(unicodedata.category(each)[0] in "LNM" for each in others) and not any(
        unicodedata.normalize("NFKC", each) != each for each in others
    )


def display_name(text: str) -> str:
    """A person's name beside an address. Raises ValueError if it is too long or has control characters."""
    if has_controls(text) or len(text) > MAX_NAME:
        msg = f"a name has no line breaks or other control characters, and at most {MAX_NAME} characters"
        raise ValueError(msg)
    return text.strip()


def has_controls(text: str) -> bool:
    """Whether the text has a character that would end a line of a header, or that nobody can see or write."""
    return any(unicodedata.category(character) in _CONTROLS for character in text)
