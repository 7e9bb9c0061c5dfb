"""What an operator is told about each end of a message."""

from __future__ import annotations

import pytest

from processors.push.delivery import Kind
from processors.push.hints import HINTS


@pytest.mark.parametrize("kind", Kind)
def test_each_end_has_a_hint(kind: Kind) -> None:
    """In one line."""
    assert 0 < len(HINTS[kind]) <= 110
