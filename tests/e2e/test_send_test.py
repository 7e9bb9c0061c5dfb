"""`scripts.send_test`, run as an operator does, against a push service on this machine."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from embedded.push_service import Answer
from tests.e2e.test_scripts import run

if TYPE_CHECKING:
    from tests.support.app import App
    from tests.support.push_service import PushService


async def test_each_device_is_told(app: App, push_service: PushService) -> None:
    """What its push service said, and what to do. No endpoint is shown, and no row is deleted."""
    alive, gone, keyless = (push_service.subscribe() for _ in range(3))
    stranger = replace(alive, id="z-stranger", endpoint="https://evil.example/s3cret-capability")
    for row in (alive, gone, replace(keyless, auth=""), stranger):
        app.subscribe(row)
    push_service.answer(gone, Answer(410))

    told = await run(app, "send_test", alive.user_id, "--title", "Hi", "--json", **app.env)
    shown = await run(app, "send_test", alive.user_id, **app.env)

    verdicts = {each["device"]: (each["service"], each["verdict"]) for each in told.json}
    assert verdicts == {
        alive.id[-6:]: ("other", "sent"),
        gone.id[-6:]: ("other", "gone"),
        keyless.id[-6:]: ("other", "unreadableKeys"),
        "ranger": ("refused", "refusedEndpoint"),
    }
    assert (4, 4) == (told.status, shown.status)
    assert f"{gone.id[-6:]}  other: gone (HTTP 410); the browser has ended it" in shown.out
    assert ["Hi", "Test"] == [each.json["title"] for each in push_service.received]
    assert [(4,)] == app.sql('SELECT count(*) FROM "PushSubscription"')
    assert "s3cret" not in told.out + told.err + shown.out + shown.err


async def test_a_user_with_one_device(app: App, push_service: PushService) -> None:
    """The exit status is 0 if all devices were reached, and 2 if there is none; nothing but JSON is printed."""
    app.subscribe(push_service.subscribe())

    [row] = app.sql('SELECT "userId" FROM "PushSubscription"')
    done = await run(app, "send_test", row[0], "--json", **app.env)
    nobody = await run(app, "send_test", "nobody", **app.env)
    bare = await run(app, "send_test", "nobody")

    assert (0, 1, "sent") == (done.status, len(done.json), done.json[0]["verdict"])
    assert (2, "this user has no subscription that is on\n") == (nobody.status, nobody.err)
    assert (1, True) == (bare.status, "VAPID_PRIVATE_KEY: not set" in bare.err)
