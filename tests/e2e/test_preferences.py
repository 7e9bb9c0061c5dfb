"""Users' preferences and quiet hours through the real worker: push, e-mail and notifications, on both wires."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from embedded.smtp_server import SmtpServer
    from tests.support.app import App
    from tests.support.push_service import PushService
    from tests.support.wires import Mess

TABLES = (
    """CREATE TABLE "NotificationPreference" ("id" INTEGER PRIMARY KEY, "userId" TEXT NOT NULL, "channel" TEXT NOT NULL,
    "type" TEXT NOT NULL, "enabled" BOOLEAN, "quietFrom" TEXT, "quietTo" TEXT, "timeZone" TEXT)""",
    """CREATE TABLE "Notification" ("id" TEXT PRIMARY KEY, "userId" TEXT NOT NULL, "type" TEXT, "title" TEXT NOT NULL,
    "body" TEXT NOT NULL, "readAt" DATETIME)""",
)
ROW = """INSERT INTO "NotificationPreference" ("userId", "channel", "type", "enabled", "quietFrom", "quietTo")
    VALUES (?, ?, ?, ?, ?, ?)"""
USERS = ("ada", "bob", "cy")  # Ada wants no likes, Bob wants all, and Cy is asleep the whole day


def jobs(user: str) -> list[tuple[str, str, dict[str, Any]]]:
    """A like on each way: queue, job and data."""
    push = {"userId": user, "payload": {"title": user}, "options": {"type": "like"}}
    mail = {"userId": user, "to": f"{user}@example.com", "subject": user, "text": "Hello", "type": "like"}
    return [
        ("push-notifications", "push-notification", push),
        ("email", "send-email", {**mail, "quiet": "drop"}),
        ("notifications", "user-notification", {"userId": user, "title": user, "type": "like"}),
    ]


async def test_preferences_hold_on_every_way(
    app: App, mess: Mess, push_service: PushService, smtp_server: SmtpServer
) -> None:
    """What is switched off reaches nobody; in quiet hours a push waits, a mail may be dropped, and a row is there."""
    for table in TABLES:
        app.sql(table)
    app.sql(ROW, "ada", "*", "like", 0, None, None)
    app.sql(ROW, "cy", "*", "*", 1, "00:00", "24:00")
    for user in USERS:
        app.subscribe(push_service.subscribe(user))
        for queue, name, data in jobs(user):
            await mess.bullmq(name, data, queue=queue)
            mess.rq(name, data, queue=queue)
    env = {
        "PREFERENCE_TABLE": "NotificationPreference",
        "NOTIFICATION_TABLE": "Notification",
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(smtp_server.port),
        "MAIL_FROM": "app@app.example",
    }
    async with app.worker(**env) as worker:
        await worker.logged("job_done", 2 * 3 * len(USERS))

    assert ["bob"] * 2 == [each.json["title"] for each in push_service.received]
    assert [("bob@example.com",)] * 2 == [mail.recipients for mail in smtp_server.received]
    rows = app.sql('SELECT "userId" FROM "Notification" ORDER BY "userId"')
    assert [("bob",), ("bob",), ("cy",), ("cy",)] == rows
    assert 2 == len(worker.lines("push_follow_up"))  # to Cy, later
