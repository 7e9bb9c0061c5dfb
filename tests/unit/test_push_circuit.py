"""When a push service is left alone, and when it is tried again."""

from __future__ import annotations

import pytest

from processors.push.circuit import IN_A_ROW, PROBE_EVERY, REFUSALS, Circuit
from processors.push.delivery import Delivery, Kind

ORIGIN = "https://push.test"


def stopped_by(kind: Kind) -> Circuit:
    """A circuit that has seen too much of one kind."""
    circuit = Circuit(lambda _: False)
    for _ in range(REFUSALS if kind is Kind.CONFIGURATION else IN_A_ROW):
        assert circuit.instead(ORIGIN) is None
        circuit.saw(ORIGIN, Delivery(kind, "no", 60.0))
    return circuit


@pytest.mark.parametrize("kind", [Kind.CONFIGURATION, Kind.THROTTLED, Kind.TRANSIENT])
def test_what_is_not_sent_ends_as_what_stopped_it(kind: Kind) -> None:
    """With what the service asked for, and the word that it was not tried; other services are not concerned."""
    circuit = stopped_by(kind)

    instead = circuit.instead(ORIGIN)

    assert instead is not None
    assert (instead.kind, instead.retry_after, instead.tried) == (kind, 60.0, False)
    assert circuit.instead("https://other.test") is None


def test_a_service_that_refuses_the_server_is_tried_again_now_and_then() -> None:
    """One message in fifty: the first ones may have been to subscriptions of an older key."""
    circuit = stopped_by(Kind.CONFIGURATION)

    sent = [number for number in range(1, 201) if circuit.instead(ORIGIN) is None]

    assert sent == [PROBE_EVERY, 2 * PROBE_EVERY, 3 * PROBE_EVERY, 4 * PROBE_EVERY]


def test_one_message_that_is_taken_sets_it_going() -> None:
    """The server is not refused, then."""
    circuit = stopped_by(Kind.CONFIGURATION)

    circuit.saw(ORIGIN, Delivery(Kind.SENT))

    assert circuit.instead(ORIGIN) is None


@pytest.mark.parametrize("kind", [Kind.THROTTLED, Kind.TRANSIENT])
def test_a_service_that_asks_for_a_pause_has_it(kind: Kind) -> None:
    """However an answer that was under way turns out: a follow-up job tries all again later."""
    circuit = stopped_by(kind)

    circuit.saw(ORIGIN, Delivery(Kind.SENT))

    assert all(circuit.instead(ORIGIN) is not None for _ in range(2 * PROBE_EVERY))
