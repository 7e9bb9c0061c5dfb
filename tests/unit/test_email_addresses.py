"""Addresses: one string is one address, and what is taken can't be read as another one."""

from __future__ import annotations

import re
import unicodedata
from email.headerregistry import AddressHeader
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.email.addresses import address, split

TAKEN = {
    "ada@example.com": ("", "ada@example.com"),
    "  ada@example.com ": ("", "ada@example.com"),
    "<ada@example.com>": ("", "ada@example.com"),
    "Ada <ada@example.com>": ("Ada", "ada@example.com"),
    "Ada Lovelace<ada@example.com>": ("Ada Lovelace", "ada@example.com"),
    '"Lovelace, Ada" <ada@example.com>': ("Lovelace, Ada", "ada@example.com"),
    r'"Ada \"the first\"" <ada@example.com>': ('Ada "the first"', "ada@example.com"),
    "o'brien+news/x@mail.example.co.uk": ("", "o'brien+news/x@mail.example.co.uk"),
    "root@localhost": ("", "root@localhost"),
    "a..b.@docomo.ne.jp": ("", "a..b.@docomo.ne.jp"),
    "用户@例え.example": ("", "用户@xn--r8jz45g.example"),
    "u\u0308ber@bu\u0308cher.example": ("", "über@xn--bcher-kva.example"),
}


@pytest.mark.parametrize(("text", "found"), TAKEN.items(), ids=map(ascii, TAKEN))
def test_one_address_is_taken(text: str, found: tuple[str, str]) -> None:
    """With a name or without, in any letters."""
    assert found == split(text)


REFUSED = {
    "nothing": "",
    "no at": "ada",
    "no domain": "ada@",
    "no user": "@example.com",
    "two with a comma": "ada@example.com, eve@example.com",
    "two with a semicolon": "ada@example.com;eve@example.com",
    "two with a space": "ada@example.com eve@example.com",
    "two in brackets": "<ada@example.com><eve@example.com>",
    "a comma in a plain name": "eve@example.com, Ada <ada@example.com>",
    "an address for a name": "eve@example.com <ada@example.com>",
    "a route": "<@relay.example:ada@example.com>",
    "two ats": "ada@example.com@evil.example",
    "a percent and an at": "ada%x@y@example.com",
    "a line break": "ada@example.com\r\nRCPT TO:<eve@example.com>",
    "a line break at the end": "ada@example.com\n",
    "a line break in quotes": '"x\r\nRCPT TO:<eve@example.com>"@example.com',
    "quotes": '"ada lovelace"@example.com',
    "a line break in the name": "Ada\r\nBcc: eve@example.com <ada@example.com>",
    "NUL": "ada\0@example.com",
    "a comment": "ada(eve)@example.com",
    "a literal": "ada@[127.0.0.1]",
    "an underscore": "ada@exam_ple.com",
    "a hyphen first": "ada@-example.com",
    "an empty label": "ada@example..com",
    "a dot last": "ada@example.com.",
    "a long user": f"{'a' * 65}@example.com",
    "a long label": f"ada@{'a' * 64}.com",
    "a long whole": f"ada@{'.'.join(['a' * 60] * 5)}",
    "a full-width at": "ada\uff20evil.example@example.com",
    "full-width letters": "ada@\uff45xample.com",
    "a ligature": "ada@o\ufb03ce.example",
    "a Kelvin sign": "\u212aim@example.com",
    "a direction mark": "ada\u202e@example.com",
    "a zero-width space": "ada@exam\u200bple.com",
    "half a pair": "ada\ud83d@example.com",
    "an ideographic stop": "ada@example\u3002com",
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_all_else_is_refused(text: str) -> None:
    """And the reason does not repeat it."""
    with pytest.raises(ValueError, match=r"address|name has") as caught:
        split(text)
    assert "example" not in str(caught.value).replace("such as ada@example.com", "")


ODD = st.text(st.sampled_from('ab@.,;:<>()[]"\\ \r\n\t\0%!=+é例\uff20\u3002\u200b'), max_size=14)
DOMAINS = st.sampled_from(["", "@example.com", "<b@example.com>", "@例え.example"])


@given(ODD, DOMAINS)
def test_what_is_taken_is_one_address_for_others_too(odd: str, domain: str) -> None:
    """The standard library reads it as one mailbox, and nothing in it could end a command of SMTP."""
    try:
        taken = address(odd + domain)
    except ValueError:
        return
    read: dict[str, Any] = {}
    quoted = re.sub(r"^(.*)@", lambda found: f'"{found[1]}"@', taken)  # for dots that stand anywhere
    AddressHeader.parse(quoted, read)

    assert [taken] == [f"{each.username}@{each.domain}" for group in read["groups"] for each in group.addresses]
    assert not re.search(r'[\s<>"\\\x00-\x1f\x7f]', taken)
    assert "@" not in unicodedata.normalize("NFKC", taken).rpartition("@")[0]
