"""The circuit breaker of a push service that refuses the server, and its probes."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from processors.push.circuit_breaker import PROBE_EVERY, PROBES, REFUSALS, CircuitBreaker, Turn
from processors.push.delivery import Delivery, Kind

ORIGIN = "https://push.test"
NO = Delivery(Kind.CONFIGURATION, "HTTP 401")


async def doubted() -> CircuitBreaker:
    """A circuit that has seen some refusals in a row."""
    circuit = CircuitBreaker()
    for _ in range(REFUSALS):
        assert await circuit.turn(ORIGIN) is Turn.SEND
        circuit.saw(ORIGIN, NO)
    return circuit


async def stopped() -> CircuitBreaker:
    """A circuit whose probes were refused, too."""
    circuit = await doubted()
    for _ in range(PROBES):
        assert await circuit.turn(ORIGIN) is Turn.PROBE
        circuit.saw(ORIGIN, NO)
        circuit.probed(ORIGIN)
    return circuit


async def test_while_it_is_doubted_all_wait_for_one_probe() -> None:
    """No other message goes out meanwhile; one that is taken lets all go on."""
    circuit = await doubted()
    assert await circuit.turn(ORIGIN) is Turn.PROBE
    others = [asyncio.create_task(circuit.turn(ORIGIN)) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(other.done() for other in others)

    circuit.saw(ORIGIN, Delivery(Kind.SENT))
    circuit.probed(ORIGIN)

    assert [Turn.SEND] * 3 == await asyncio.gather(*others)
    assert not circuit.doubts(ORIGIN)


async def test_other_push_services_are_not_concerned() -> None:
    """Each is judged by its own answers."""
    assert await (await stopped()).turn("https://other.test") is Turn.SEND


async def test_when_all_probes_are_refused_the_rest_is_skipped() -> None:
    """It ends as a refusal that was not tried, and the log says so once."""
    with capture_logs() as logs:
        circuit = await stopped()

    delivery = circuit.short_circuit(ORIGIN)

    assert (Kind.CONFIGURATION, False) == (delivery.kind, delivery.tried)
    assert delivery.reason.endswith("HTTP 401")
    assert ["push_origin_stopped"] == [entry["event"] for entry in logs]


async def test_it_is_tried_again_now_and_then_and_early_at_first() -> None:
    """Half of a long list may be of an older key."""
    circuit, probes = await stopped(), []
    for number in range(1, 2 * PROBE_EVERY + 1):
        if await circuit.turn(ORIGIN) is Turn.PROBE:
            probes.append(number)
            circuit.probed(ORIGIN)

    assert [1, 2, 4, 8, 16, 32, PROBE_EVERY, 2 * PROBE_EVERY] == probes


async def test_one_accepted_message_closes_the_circuit() -> None:
    """Then the server is not refused."""
    circuit = await stopped()

    circuit.saw(ORIGIN, Delivery(Kind.SENT))

    assert await circuit.turn(ORIGIN) is Turn.SEND


@pytest.mark.parametrize("kind", [Kind.GONE, Kind.MESSAGE, Kind.REFUSED, Kind.TRANSIENT])
async def test_refusals_count_in_a_row(kind: Kind) -> None:
    """An answer that says nothing about the server's key starts the row anew."""
    circuit = CircuitBreaker()
    for _ in range(REFUSALS):
        circuit.saw(ORIGIN, NO)
        circuit.saw(ORIGIN, Delivery(kind))

    assert not circuit.doubts(ORIGIN)


async def test_probes_that_say_nothing_end_as_well() -> None:
    """However the last rows end, no message waits for ever."""
    circuit = await doubted()
    for _ in range(PROBES):
        assert await circuit.turn(ORIGIN) is Turn.PROBE
        circuit.saw(ORIGIN, Delivery(Kind.TRANSIENT))
        circuit.probed(ORIGIN)

    circuit.saw(ORIGIN, NO)
    assert {Turn.PROBE, Turn.SKIP} >= {await circuit.turn(ORIGIN) for _ in range(3)}


async def test_probes_that_were_not_sent_decide_nothing() -> None:
    """The push service rests for another reason, and has refused nothing meanwhile."""
    circuit = await doubted()
    for _ in range(2 * PROBES):
        assert await circuit.turn(ORIGIN) is Turn.PROBE
        circuit.probed(ORIGIN, is_asked=False)

    assert await circuit.turn(ORIGIN) is Turn.PROBE
