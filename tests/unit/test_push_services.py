"""Push services by name."""

from __future__ import annotations

import pytest

from processors.push.services import OTHER, REFUSED, service_of


@pytest.mark.parametrize(
    ("origin", "name"),
    [
        ("https://fcm.googleapis.com", "google"),
        ("https://jmt17.google.com", "google"),
        ("https://updates.push.services.mozilla.com", "mozilla"),
        ("https://web.push.apple.com", "apple"),
        ("https://wns2-par02p.notify.windows.com", "microsoft"),
        ("https://push.example.com", OTHER),
        ("https://fcm.googleapis.com.example.com", OTHER),
        ("other", OTHER),
        ("refused", REFUSED),
    ],
)
def test_the_push_service_of_a_host(origin: str, name: str) -> None:
    """A host stands for all names under it."""
    assert name == service_of(origin)
