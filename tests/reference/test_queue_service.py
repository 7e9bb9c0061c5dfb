"""A Next.js app with a QueueService: pushes, images, avatars and mails, followed and retried with stock bullmq.

Its files are in `app_with_queue_service.py`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
import pytest
from PIL import Image

from tests.reference.app_with_queue_service import FILES, IMPORTS
from tests.support import videos
from tests.support.node import NodeError
from tests.support.push_service import Answer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.reference.conftest import Team

pytestmark = pytest.mark.asyncio(loop_scope="module")

APP = FILES
SETTINGS = {"QUEUES": "push-notifications,file-processing,email"}


async def test_a_route_queues_a_push(team: Team) -> None:
    """The route answers at once, and the device has the message."""
    device = team.subscribe("user_route")
    ran = await team.node.run("""
import { POST } from "@/app/api/messages/route";

const answer = await POST(new Request("http://app/api/messages", { method: "POST", body: '{"content": "Hi"}' }));
export default await answer.json();
""")
    job_id = ran["printed"][0].partition("Push notification job added: ")[2].split()[0]
    await team.worker.logged("job_done", name="push-notification", id=job_id)

    assert {"message": {"id": "m1", "content": "Hi"}} == ran["result"]
    assert [{"title": "New Message", "body": "Hi"}] == [json.loads(text) for text in team.pushes.texts(device)]


async def test_the_result_of_a_push(team: Team) -> None:
    """`{sent, failed, total}`, and more; a user without a subscription is `{sent: 0, total: 0}`."""
    team.subscribe("user_456")
    team.subscribe("user_456")
    some, none = await team.node(
        IMPORTS
        + """
const payload = { title: "Hello", body: "World", url: "/", icon: "/icon.png" };
const jobs = await Promise.all(
  ["user_456", "user_none"].map((userId) => queueService.addPushNotification({ userId, payload })),
);
export default await Promise.all(jobs.map(finished));
"""
    )
    assert (2, 0, 2) == (some["sent"], some["failed"], some["total"])
    assert (0, 0) == (none["sent"], none["total"])


async def test_a_subscription_that_is_gone(team: Team) -> None:
    """410 deletes the row. It counts as `pruned`, not as `failed`: nothing is wrong with the sender."""
    gone = team.subscribe("user_gone")
    team.pushes.answer(gone, Answer(410))
    result = await team.node(
        IMPORTS
        + """
export default await finished(await queueService.addPushNotification({
  userId: "user_gone", payload: { title: "t", body: "b" },
}));
"""
    )
    assert (0, 0, 1, 1) == tuple(result[key] for key in ("sent", "failed", "pruned", "total"))
    assert [] == team.app.sql('SELECT * FROM "PushSubscription" WHERE "userId" = ?', "user_gone")


async def test_all_members_of_a_room_but_the_sender(team: Team) -> None:
    """One job for each recipient, as the service adds them."""
    devices = {user: team.subscribe(user) for user in ("ada", "bob", "eve")}
    await team.node(
        IMPORTS
        + """
import { MessageNotificationService } from "@/lib/services/message-notification.service";

const members = ["ada", "bob", "eve"].map((userId) => ({ userId }));
const rooms = new Map([["7", { name: "General", members }]]);
const service = new MessageNotificationService(rooms, queueService);
await Promise.all((await service.sendPushNotifications("7", "ada", "Are you there?")).map(finished));
"""
    )
    message = {"title": "New message in General", "body": "Are you there?", "url": "/chat/7"}
    got = {user: [json.loads(text) for text in team.pushes.texts(device)] for user, device in devices.items()}
    assert {"ada": [], "bob": [message], "eve": [message]} == got


async def test_one_job_for_many_users(team: Team) -> None:
    """`push-batch` takes up to 100,000 users. Their field is `userIds`, for it has ids, not users."""
    for user in ("many-1", "many-2"):
        team.subscribe(user)
    result = await team.node(
        IMPORTS
        + """
const users = [{ id: "many-1" }, { id: "many-2" }];
export default await finished(await queueService.addBatchPushNotification({
  userIds: users.map(u => u.id),
  payload: { title: "News", body: "For all" },
}));
"""
    )
    assert (2, 2) == (result["sent"], result["total"])


async def test_an_image(team: Team) -> None:
    """At most 1920 by 1080, and a thumbnail of 320 by 240, under the names that such a processor gives them."""
    key = team.app.upload("img", (2400, 1200))
    result = await team.node(
        IMPORTS
        + """
const data = { fileId: "img", filePath: given.key, userId: "user_1" };
export default await finished(await queueService.addImageProcessing(data));
""",
        key=key,
    )
    [row] = team.app.sql('SELECT "compressedUrl", "thumbnailUrl", "processed" FROM "File" WHERE "id" = \'img\'')
    sizes = [size_of(team.app.folder / "store" / f"img-{name}.jpg") for name in ("compressed", "thumbnail")]

    assert (result["compressedUrl"], result["thumbnailUrl"], 1) == row
    assert [(1920, 960), (320, 240)] == sizes


def size_of(path: Path) -> tuple[int, int]:
    """The width and height of an image."""
    with Image.open(path) as image:
        return image.size


async def test_an_avatar(team: Team) -> None:
    """Several sizes, square."""
    key = team.app.upload("face")
    result = await team.node(
        IMPORTS
        + """
export default await finished(await queueService.addAvatar({ filePath: given.key, userId: "user_1" }));
""",
        key=key,
    )
    assert ["32", "64", "128", "256", "512"] == sorted(result["urls"], key=int)


@pytest.mark.matrix
async def test_a_video(team: Team) -> None:
    """It becomes one that every browser plays; the row has the video and its poster."""
    key = team.app.upload("film")
    videos.make("plain", team.app.folder / "store" / key)
    result = await team.node(
        IMPORTS
        + """
const data = { fileId: "film", filePath: given.key, userId: "user_1" };
export default await finished(await queueService.addVideoProcessing(data));
""",
        key=key,
    )
    [row] = team.app.sql('SELECT "compressedUrl", "thumbnailUrl", "processed" FROM "File" WHERE "id" = \'film\'')

    assert "h264" == result["codec"]
    assert (result["url"], result["posterUrl"], 1) == row


async def test_a_job_has_a_path_and_no_bytes(team: Team) -> None:
    """A storage key has no slash in front: a path of the disk is refused, as are bytes in place of a path.

    Else any producer could have a file of the worker's disk published.
    """
    slash, buffer = await team.node(
        IMPORTS
        + """
const upload = { fileId: "f", userId: "user_1" };
const jobs = [
  await fileProcessingQueue.add(JOB_TYPES.PROCESS_IMAGE, { ...upload, filePath: '/uploads/image.jpg' }),
  await fileProcessingQueue.add(JOB_TYPES.PROCESS_IMAGE, { ...upload, fileBuffer: Buffer.from("large") }),
];
const ends = await Promise.allSettled(jobs.map(finished));
export default ends.map((end) => (end as PromiseRejectedResult).reason.message);
"""
    )
    assert slash.startswith("bad payload for process-image: filePath: ")
    assert "bad payload for process-image: filePath: Field required" == buffer


async def test_a_new_job_type(team: Team) -> None:
    """`send-email` with `{to, subject, body}`: `body` is the html. The sender is `MAIL_FROM`."""
    result = await team.node(
        IMPORTS
        + """
const user = { name: "Ada", email: "ada@example.com" };
export default await finished(await queueService.addEmail({
  to: user.email,
  subject: 'Welcome to the App!',
  body: `<h1>Welcome ${user.name}!</h1><p>Thanks for joining.</p>`,
}));
"""
    )
    mail = await team.mail_to("ada@example.com")

    assert ["ada@example.com"] == result["accepted"]
    assert ("Welcome to the App!", "App <app@example.com>") == (mail["Subject"], mail["From"])
    html = mail.get_body(("html",))
    assert html is not None
    assert "<h1>Welcome Ada!</h1>" in html.get_content()


async def test_a_job_is_followed(team: Team) -> None:
    """`getState()`, `progress` and `waitUntilFinished()`, which takes the queue's events in bullmq 5 and 6."""
    key = team.app.upload("followed")
    seen = await team.node(
        IMPORTS
        + """
import { QueueEvents } from "bullmq";
import { connection } from "@/lib/connection";

const queueEvents = new QueueEvents("file-processing", { connection, lastEventId: "0-0" });
await fileProcessingQueue.pause();
const job = await queueService.addImageProcessing({ fileId: "followed", filePath: given.key, userId: "user_1" });
const before = [await job.getState(), await job.progress];
await fileProcessingQueue.resume();
const result = await job.waitUntilFinished(queueEvents);
const after = (await fileProcessingQueue.getJob(job.id!))!;
export default [before, [await after.getState(), await after.progress], Boolean(result.compressedUrl)];
""",
        key=key,
    )
    assert [["waiting", 0], ["completed", 100], True] == seen


async def test_the_events_of_a_worker(team: Team) -> None:
    """`completed` and `failed` come to `QueueEvents`, since the worker is another process."""
    seen = await team.node(
        IMPORTS
        + """
import { QueueEvents } from "bullmq";
import { connection } from "@/lib/connection";

const events = new QueueEvents("push-notifications", { connection, lastEventId: "0-0" });
const told = new Map<string, string>();
events.on("completed", ({ jobId }) => told.set(jobId, "completed"));
events.on("failed", ({ jobId, failedReason }) => told.set(jobId, failedReason));
const payload = { title: "t", body: "b" };
const good = await queueService.addPushNotification({ userId: "user_none", payload });
const bad = await pushNotificationQueue.add("push-notificatoin", { userId: "user_none", payload });
await Promise.allSettled([good, bad].map(finished));
while (!told.has(good.id!) || !told.has(bad.id!)) await new Promise((next) => setTimeout(next, 20));
export default [told.get(good.id!), told.get(bad.id!)];
"""
    )
    assert "completed" == seen[0]
    assert seen[1].startswith("unknown job name 'push-notificatoin' in queue push-notifications; it takes ")


async def test_failed_jobs_are_counted_listed_and_retried(team: Team) -> None:
    """`getJobCounts()`, `getFailed()`, `getJob()` and `retry()`: the job runs again, here with its upload in place."""
    upload = team.app.folder / "store" / team.app.upload("late")
    away = upload.rename(upload.with_suffix(".away"))
    counts, failed, job_id = await team.node(
        IMPORTS
        + """
const late = { fileId: "late", filePath: "uploads/late.png", userId: "user_1" };
const job = await queueService.addImageProcessing(late);
await finished(job).catch(() => {});
const counts = await fileProcessingQueue.getJobCounts();
const failedJobs = await fileProcessingQueue.getFailed();
export default [counts, failedJobs.map((each) => [each.id, each.failedReason]), job.id];
"""
    )
    away.rename(upload)
    state, result = await team.node(
        IMPORTS
        + """
const job = (await fileProcessingQueue.getJob(given.id))!;
await job.retry();
const result = await finished(job);
export default [await job.getState(), result];
""",
        id=job_id,
    )
    assert {"active", "completed", "failed", "delayed", "waiting"} <= counts.keys()
    assert counts["failed"] == len(failed)
    assert ["nothing is stored under its filePath"] == [why for found, why in failed if found == job_id]
    assert "completed" == state
    assert "/late-compressed." in result["compressedUrl"]


async def test_attempts_of_single_jobs(team: Team) -> None:
    """`add(data, {attempts})` lacks the job's name: stock bullmq itself refuses that. With the name it works."""
    with pytest.raises(NodeError):
        await team.node(
            IMPORTS
            + """
const data = { userId: "user_none", payload: { title: "t", body: "b" } };
await pushNotificationQueue.add(data as never, { attempts: 3 });
"""
        )
    attempts = await team.node(
        IMPORTS
        + """
const data = { userId: "user_none", payload: { title: "t", body: "b" } };
const expensive = { fileId: "f", filePath: "uploads/none.png", userId: "user_1" };
const jobs = [
  await fileProcessingQueue.add(JOB_TYPES.PROCESS_IMAGE, expensive, { attempts: 2 }),
  await pushNotificationQueue.add(JOB_TYPES.PUSH_NOTIFICATION, data, { attempts: 3 }),
];
export default jobs.map((job) => job.opts.attempts);
"""
    )
    assert [2, 3] == attempts


async def test_bull_board(team: Team) -> None:
    """Mounted at /admin/queues of the app's own server, it shows the worker's jobs. web.py has a page there, too."""
    port = await team.node(
        IMPORTS
        + """
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { ExpressAdapter } from '@bull-board/express';
import express from 'express';

const app = express();
const serverAdapter = new ExpressAdapter();
createBullBoard({
  queues: [
    new BullMQAdapter(pushNotificationQueue),
    new BullMQAdapter(fileProcessingQueue),
  ],
  serverAdapter,
});

serverAdapter.setBasePath('/admin/queues');
app.use('/admin/queues', serverAdapter.getRouter());
await finished(await queueService.addPushNotification({ userId: "user_none", payload: { title: "t", body: "b" } }));
const server = app.listen(0, "127.0.0.1");
await new Promise((listening) => server.once("listening", listening));
export default (server.address() as { port: number }).port;
"""
    )
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/admin/queues", timeout=20) as http:
        page = await http.get("/")
        queues = (await http.get("/api/queues", params={"activeQueue": "push-notifications"})).json()["queues"]

    assert "<html" in page.text
    assert {"push-notifications", "file-processing"} == {queue["name"] for queue in queues}
    assert next(queue["counts"]["completed"] for queue in queues if queue["name"] == "push-notifications") >= 1
