"""Mails through worker.py to a mail server, on both wires."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.mail_kills import TAKEN, Kills, WatchedServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.wires import Mess

SOME = ("RCPT", "END", "ANSWERED")
MAIL = {"subject": "Hello Ada", "html": "<p>Reset it <a href='https://app.example/r/4711'>here</a></p>"}


@pytest.fixture
async def server() -> AsyncIterator[WatchedServer]:
    """A mail server."""
    server = WatchedServer()
    await server.start()
    yield server
    await server.stop()


async def test_mails_arrive_on_both_wires(mess: Mess, server: WatchedServer) -> None:
    """Whole, with the envelope's recipients; a rejected one is told, and a wrong payload is a dead letter."""
    server.answer("RCPT nobody@example.com", "550 5.1.1 no such user")
    async with Kills(mess, server).worker() as worker:
        await mess.bullmq(
            "password_reset", {**MAIL, "to": "Ada <lovelace@example.com>", "bcc": "bcc@example.com"}, queue="email"
        )
        mess.rq("EMAIL_SEND", {**MAIL, "to": ["grace@example.com", "nobody@example.com"]}, queue="email")
        await mess.bullmq("generic", {"to": "a@example.com, b@example.com", **MAIL}, queue="email")
        lines = await worker.logged("job_done", 2)
        [dead] = await worker.logged("job_dead")

    assert {"other": {"sent": 2}} in [line["mails"] for line in lines]
    assert {"other": {"sent": 1, "rejected": 1}} in [line["mails"] for line in lines]
    assert "bad payload for generic: to" in dead["reason"]
    by_recipients = {mail.recipients: mail.message for mail in server.received}
    assert {("lovelace@example.com", "bcc@example.com"), ("grace@example.com",)} == by_recipients.keys()
    message = by_recipients["lovelace@example.com", "bcc@example.com"]
    assert ("Hello Ada", "Ada <lovelace@example.com>", None) == (message["Subject"], message["To"], message["Bcc"])
    assert not any(address in worker.stdout for each in by_recipients for address in each)


async def test_a_worker_that_is_killed_at_any_step_loses_no_mail(mess: Mess, server: WatchedServer) -> None:
    """A second copy comes only of a kill between the last byte and the note of the answer (all steps: `make kills`)."""
    kills = Kills(mess, server)
    await kills.run(SOME)

    assert (len(SOME), len(SOME)) == (len(kills.killed), sum((await mess.counts("email")).values()))
    copies = {step: server.copies(address) for address, step in kills.killed.items()}
    assert all(count == 1 for step, count in copies.items() if step not in TAKEN), copies
    assert all(count in {1, 2} for count in copies.values()), copies


async def test_an_uncertain_mail_is_dead_if_the_settings_say_so(mess: Mess, server: WatchedServer) -> None:
    """EMAIL_UNCERTAIN=dead: no second copy, and a dead letter."""
    kills = Kills(mess, server, EMAIL_UNCERTAIN="dead")
    await kills.run(["END"])

    [letter] = (await mess.dead_letters()).values()
    assert "EMAIL_UNCERTAIN says not to send it again" in letter["reason"]
    assert 1 == server.copies("0@example.com")
