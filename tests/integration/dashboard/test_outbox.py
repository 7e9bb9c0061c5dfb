"""The dashboard's page of the outbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from processors.outbox.metrics import OutboxMetrics
from processors.outbox.upkeep import Upkeep
from queue_lib.broker.board import RedisBoard
from queue_lib.broker.connection import client, options
from storage.ports import Backlog
from tests.support.outbox_fakes import FakeOutbox, row

if TYPE_CHECKING:
    from tests.support.dashboard_client import Browser
    from tests.support.wires import Mess

HOSTILE = "<script>alert(1)</script>"


async def test_the_page_shows_the_lag_and_the_bad_rows(ada: Browser, mess: Mess) -> None:
    """As a publisher told it; what the app wrote is text. Without an outbox it says so."""
    assert "No worker has told of an outbox" in (await ada.get("/outbox")).text
    assert "/outbox" not in (await ada.get("/workers")).text + (await ada.get("/")).text

    outbox = FakeOutbox()
    bad = row(7, HOSTILE, error="no such job: 'x'")
    seen = Backlog(unpublished=1204, bad=1, oldest=1_800_000_000.0, last=[bad], bad_rows=[bad])

    async def backlog() -> Backlog:
        return seen

    outbox.backlog = backlog  # type: ignore[method-assign]
    connection = client(options(mess.url), decode=True, name="test")
    board = RedisBoard(connection, "bull")
    await Upkeep(outbox, "Outbox", OutboxMetrics(), clock=lambda: 1_800_000_090.0).look(board)
    page, overview = (await ada.get("/outbox")).text, (await ada.get("/")).text

    assert "1,204" in page
    told = ("can't be published: 1.", "stands still: its first row has waited for 90 s")
    assert ([True, True], [True, True]) == tuple([words in text for words in told] for text in (page, overview))
    assert '/outbox">outbox</a>' in overview
    assert "no such job" in page
    assert HOSTILE not in page
    await board.write("outbox", "status", "{}", 60)
    assert "No worker has told of an outbox" in (await ada.get("/outbox")).text
    await connection.aclose()
