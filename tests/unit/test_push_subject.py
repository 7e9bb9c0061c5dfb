"""The VAPID subject, by Apple's rules."""

from __future__ import annotations

import pytest

from processors.push.subject import check_subject


@pytest.mark.parametrize(
    "subject",
    [
        "mailto:ops@example.com",
        "mailto:first.last+push@mail.example.co.uk",
        "mailto:Ops@Example.com",
        "https://example.com",
        "https://example.com/",
        "https://www.example.com/contact?from=push",
    ],
)
def test_subjects_that_apple_accepts(subject: str) -> None:
    """Addresses and https URLs of public hosts pass unchanged."""
    assert subject == check_subject(subject)


@pytest.mark.parametrize(
    "subject",
    [
        "",
        "ops@example.com",
        "mailto:",
        "mailto:ops",
        "mailto: ops@example.com",
        "mailto:mailto:ops@example.com",
        "mailto:<ops@example.com>",
        "mailto:ops@localhost",
        "mailto:ops@example.invalid",
        "mailto:ops@server.local",
        "mailto:ops@10.0.0.1",
        "mailto:ops@example.com,me@example.com",
        "mailto:@example.com",
        "https://localhost",
        "https://localhost:3000",
        "https://10.0.0.1/",
        "https://user@example.com/",
        "https://example.com:x/",
        "https://exa mple.com",
        "http://example.com",
        "//example.com",
    ],
)
def test_subjects_that_apple_refuses_are_refused_at_start(subject: str) -> None:
    """A subject that fails on iPhones alone gives a sentence that says what to write instead."""
    with pytest.raises(ValueError, match="Apple's push service refuses it; use `mailto:`"):
        check_subject(subject)
