"""When a mail server is left alone, and how the processes tell each other."""

from __future__ import annotations

from typing import Never

import pytest

from processors.email.mail import DroppedError, MailRefusedError, SenderRefusedError, ServerAwayError, UncertainError
from processors.email.smtp.circuit import AGAIN, HEAR_EVERY, Circuit
from processors.email.smtp.verdicts import FIRST_REST, PAUSE, REFUSED
from queue_lib.broker.board import MemoryBoard
from queue_lib.errors import BrokerUnavailableError

AWAY = ServerAwayError("the mail server can't be reached", FIRST_REST)
DROPPED = DroppedError("the connection to the mail server was lost", FIRST_REST)
WRONG = SenderRefusedError("the mail server refuses the user and password", REFUSED)
SLOW = ServerAwayError("the mail server wants a pause", PAUSE)


class Clock:
    """The time is what a test says."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


class Process:
    """A process with its circuit; those with one board share a Redis."""

    def __init__(self, clock: Clock, board: MemoryBoard) -> None:
        self.circuit, self.board = Circuit("mail.example.com:587", clock), board

    async def send(self, ends: Exception | None = None, mail: str = "<1@example.com>") -> float:
        """A mail that would end so. Returns for how long it was put off; 0 if it was sent."""
        self.asked = False
        try:
            async with self.circuit.passing(mail, self.board):
                self.asked = True
                if ends is not None:
                    raise ends
        except (ServerAwayError, SenderRefusedError) as error:
            return error.delay
        return 0.0


@pytest.fixture
def clock() -> Clock:
    """A clock that stands."""
    return Clock()


@pytest.fixture
def board(clock: Clock) -> MemoryBoard:
    """A board by that clock."""
    return MemoryBoard(clock)


async def test_a_rest_doubles_up_to_five_minutes(clock: Clock, board: MemoryBoard) -> None:
    """Each probe that fails doubles the rest; during it no mail asks the server; a probe that works ends it."""
    here = Process(clock, board)
    seen = []
    for _ in range(7):
        seen.append(await here.send(AWAY))
        assert here.asked
        clock.now += seen[-1] - 1
        assert (await here.send(), here.asked) == (AGAIN, False)
        clock.now += 1
    assert seen == [15, 30, 60, 120, 240, 300, 300]
    assert await here.send() == 0
    assert await here.send(AWAY) == FIRST_REST


@pytest.mark.parametrize(
    ("error", "kind", "delay"),
    [
        pytest.param(SLOW, ServerAwayError, 60, id="a pause"),
        pytest.param(WRONG, SenderRefusedError, 300, id="a wrong password"),
    ],
)
async def test_it_is_told_what_others_found_out(
    clock: Clock, board: MemoryBoard, error: Exception, kind: type[Exception], delay: float
) -> None:
    """Another process puts its mails off, too, with the same reason, and goes on when the first one's probe worked."""
    here, there = Process(clock, board), Process(clock, board)
    assert await here.send(error) == delay
    assert (await there.send(), there.asked) == (delay, False)
    with pytest.raises(kind, match=str(error)):
        there.circuit.check()
    clock.now += delay
    assert (await here.send(), here.asked) == (0, True)
    clock.now += HEAR_EVERY
    assert (await there.send(), there.asked) == (0, True)


async def test_one_mail_is_the_probe(clock: Clock, board: MemoryBoard) -> None:
    """While it is under way no other mail asks the server, in this process or another."""
    here, there = Process(clock, board), Process(clock, board)
    await here.send(AWAY)
    await there.send()
    clock.now += FIRST_REST
    async with here.circuit.passing("<2@example.com>", board):
        assert await here.send() == AGAIN
        assert await there.send() == AGAIN
        with pytest.raises(ServerAwayError):
            here.circuit.check()
    assert await here.send() == 0


@pytest.mark.parametrize("error", [UncertainError("unknown"), RuntimeError()], ids=["uncertain", "a fault"])
async def test_a_probe_that_says_nothing(clock: Clock, board: MemoryBoard, error: Exception) -> None:
    """It neither ends the rest nor makes it longer: the next mail is the probe."""
    here = Process(clock, board)
    await here.send(AWAY)
    clock.now += FIRST_REST
    with pytest.raises(type(error)):
        await here.send(error)
    clock.now += FIRST_REST
    assert (await here.send(AWAY), here.asked) == (2 * FIRST_REST, True)


async def test_only_a_probe_ends_a_rest(clock: Clock, board: MemoryBoard) -> None:
    """A mail that was under way when the rest began says nothing of now."""
    here = Process(clock, board)
    async with here.circuit.passing("<2@example.com>", board):
        await here.send(SLOW)
    assert (await here.send(), here.asked) == (PAUSE, False)


async def test_failures_at_once_are_one(clock: Clock, board: MemoryBoard) -> None:
    """Five connections that fail together begin one rest."""
    here = Process(clock, board)
    five = [here.circuit.passing("<2@example.com>", board) for _ in range(5)]
    for each in five:
        await each.__aenter__()
    for each in five:
        with pytest.raises(ServerAwayError) as caught:
            await each.__aexit__(ServerAwayError, AWAY, None)
        assert caught.value.delay == FIRST_REST


async def test_a_mail_whose_connections_are_dropped(clock: Clock, board: MemoryBoard) -> None:
    """It is put off alone, however often; when the next mail is dropped, too, it is the server's doing."""
    here = Process(clock, board)
    for _ in range(3):
        assert await here.send(DROPPED, "<1@example.com>") == FIRST_REST
        here.circuit.check()
    assert await here.send(None, "<2@example.com>") == 0
    assert await here.send(DROPPED, "<1@example.com>") == FIRST_REST
    here.circuit.check()
    with pytest.raises(DroppedError):  # it was dropped as well, so its own day begins
        async with here.circuit.passing("<3@example.com>", board):
            raise DROPPED
    with pytest.raises(ServerAwayError):
        here.circuit.check()


async def test_a_refused_mail_shows_that_the_server_works(clock: Clock, board: MemoryBoard) -> None:
    """It ends a rest as a mail does that is taken."""
    here = Process(clock, board)
    await here.send(AWAY)
    clock.now += FIRST_REST
    with pytest.raises(MailRefusedError):
        await here.send(MailRefusedError("too big"))
    here.circuit.check()
    assert await board.read("mail-servers") == {}


async def _away(*_: object) -> Never:
    raise BrokerUnavailableError


async def test_without_redis_each_process_knows_for_itself(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rests and probes go on while the board can't be reached."""
    board = MemoryBoard(clock)
    for name in ("read", "write", "erase", "claim"):
        monkeypatch.setattr(board, name, _away)
    here = Process(clock, board)
    assert await here.send(AWAY) == FIRST_REST
    clock.now += FIRST_REST
    assert await here.send() == 0
    here.circuit.check()


@pytest.mark.parametrize("text", ["", "[]", '{"seconds": "x"}', '{"seconds": 1}'])
async def test_what_else_is_on_the_board(clock: Clock, board: MemoryBoard, text: str) -> None:
    """A text that is not ours is ignored."""
    await board.write("mail-servers", "mail.example.com:587", text, 100)
    assert await Process(clock, board).send() == 0
