"""A system with one queue manager: job types in capitals, a REST API in front, and one worker process.

Its files are in `app_with_queue_manager.py`. Its names, options and payloads come as they are: through stock bullmq and
through the API.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.reference.app_with_queue_manager import FILES, IMPORTS
from tests.support.api_client import SECRET
from tests.support.polling import PATIENCE, until
from tests.support.programs import CiSettings, find_program

if TYPE_CHECKING:
    import httpx

    from tests.reference.conftest import Team

pytestmark = pytest.mark.asyncio(loop_scope="module")

APP = FILES
SETTINGS = {"QUEUES": "email,notifications,file-processing"}
EMAILS = {
    "welcome": "<p>Welcome {{ name }}</p>",
    "security_alert": "<p>Somebody has signed in.</p>",
    "test": "<p>Test</p>",
}
NOTICE = {"userId": "user123", "title": "Reminder", "body": "Your subscription expires soon"}


@pytest.fixture(autouse=True)
def _templates(team: Team) -> None:
    """The templates that the mails name."""
    for name, html in EMAILS.items():
        (team.app.folder / "emails" / f"{name}.html").write_text(html)


async def test_a_mail_of_high_priority(team: Team) -> None:
    """`EMAIL_SEND` with the template that it names, and options of its own."""
    opts = await team.node(
        IMPORTS
        + """
const job = await queueManager.addJob(JobType.EMAIL_SEND, {
  to: 'user@example.com',
  subject: 'Welcome',
  template: 'welcome',
  variables: { name: 'Ada' }
}, {
  priority: JobPriority.HIGH,
  attempts: 3
});
await finished(job);
export default job.opts;
"""
    )
    mail = await team.mail_to("user@example.com")

    assert {"priority": 10, "attempts": 3}.items() <= opts.items()
    assert "Welcome" == mail["Subject"]
    html = mail.get_body(("html",))
    assert html is not None
    assert "Welcome Ada" in html.get_content()


async def test_a_mail_with_an_attachment(team: Team) -> None:
    """`path` is a key of the object store, never a path of the worker's disk."""
    (team.app.folder / "store" / "bills").mkdir(exist_ok=True)
    (team.app.folder / "store" / "bills" / "1.txt").write_text("12.50")
    await team.node(
        IMPORTS
        + """
await finished(await queueManager.addJob(JobType.EMAIL_SEND, {
  to: 'bill@example.com', subject: 'Bill', template: 'test',
  attachments: [{ filename: 'bill.txt', path: 'bills/1.txt' }]
}));
"""
    )
    [attached] = (await team.mail_to("bill@example.com")).iter_attachments()

    assert ("bill.txt", "12.50") == (attached.get_filename(), attached.get_content().strip())


async def test_the_numbers_of_priorities_are_upside_down(team: Team) -> None:
    """`URGENT: 20` runs after `LOW: 1`, as stock bullmq has it: 1 is first. The worker never reads a number otherwise.

    If it did, two apps on one queue would have two orders. `PRIORITY` of the package has names in the right order.
    """
    paused = await team.node(
        IMPORTS
        + """
await queueManager.pause();
const mail = { subject: 'Security Alert', template: 'security_alert' };
const add = (to: string, priority: number) =>
  queueManager.addJob(JobType.EMAIL_SEND, { to, ...mail }, { priority, attempts: 5, jobId: to.split('@')[0] });
const jobs = [await add('urgent@example.com', JobPriority.URGENT), await add('low@example.com', JobPriority.LOW)];
const paused = await Promise.all(jobs.map((job) => job.getState()));
await queueManager.resume();
await Promise.all(jobs.map(finished));
export default paused;
"""
    )
    assert ["prioritized", "prioritized"] == paused
    assert ["low", "urgent"] == [job_id for job_id in team.started("email") if job_id in {"low", "urgent"}]


async def test_a_delayed_notification(team: Team) -> None:
    """`USER_NOTIFICATION` waits its 30 seconds, or until an operator promotes it; then the user has a row."""
    state = await team.node(
        IMPORTS
        + """
const job = await queueManager.addJob(JobType.USER_NOTIFICATION, {
  userId: 'user123',
  title: 'Reminder',
  body: 'Your subscription expires soon'
}, {
  delay: 30000, // 30 seconds
  priority: JobPriority.NORMAL
});
const state = await job.getState();
await job.promote();
await finished(job);
export default state;
"""
    )
    rows = team.app.sql('SELECT "title", "body", "type" FROM "Notification" WHERE "userId" = ?', "user123")

    assert "delayed" == state
    assert [("Reminder", "Your subscription expires soon", "info")] == rows


@pytest.mark.parametrize("kind", ["info", "warning", "error", "success"])
async def test_the_types_of_a_notification(team: Team, kind: str) -> None:
    """With its metadata."""
    data = {"userId": kind, "title": "t", "body": "b", "type": kind, "metadata": {"order": 7}}
    await team.node(
        IMPORTS
        + """
await finished(await queueManager.addJob(JobType.USER_NOTIFICATION, given));
""",
        **data,
    )
    [(stored, metadata)] = team.app.sql('SELECT "type", "metadata" FROM "Notification" WHERE "userId" = ?', kind)

    assert (kind, {"order": 7}) == (stored, json.loads(metadata))


@pytest.mark.parametrize(
    ("operation", "options", "result"),
    [
        ("resize", {"width": 100}, {"width": 100, "height": 75, "format": "jpeg"}),
        ("compress", {}, {"width": 640, "height": 480}),
        ("convert", {"format": "webp"}, {"width": 640, "height": 480, "format": "webp"}),
        ("extract_text", {}, {"kind": "text", "characters": 15}),
    ],
)
async def test_a_file_is_processed(team: Team, operation: str, options: dict[str, Any], result: dict[str, Any]) -> None:
    """`FILE_PROCESS` with each operation.

    `filePath` is a storage key. `fileId` and `userId` are needed besides: the row that says where the result is.
    """
    key = team.app.upload(operation)
    if operation == "extract_text":
        key = "uploads/note.txt"
        (team.app.folder / "store" / key).write_text("Hello, my text")
    data = {"filePath": key, "operation": operation, "options": options, "fileId": operation, "userId": "user123"}
    made = await team.node(
        IMPORTS
        + """
export default await finished(await queueManager.addJob(JobType.FILE_PROCESS, given));
""",
        **data,
    )
    assert {"operation": operation, **result}.items() <= made.items()
    assert [(1,)] == team.app.sql('SELECT "processed" FROM "File" WHERE "id" = ?', operation)


async def test_a_job_is_followed(team: Team) -> None:
    """`getState()` in words of bullmq, and `getStats()` of all queues."""
    seen = await team.node(
        IMPORTS
        + """
const options = { jobId: 'job-id', delay: 60_000 };
await queueManager.addJob(JobType.EMAIL_SEND, { to: 'a@example.com', subject: 's', template: 'test' }, options);
const job = await queueManager.getJob('job-id');
const status = await job!.getState();
await job!.promote();
await finished(job!);
const ended = await job!.getState();
const stats = await queueManager.getStats();
console.log(`Jobs: ${stats.waiting} waiting, ${stats.active} active`);
export default [status, ended, stats];
"""
    )
    before, after, stats = seen

    assert ("delayed", "completed") == (before, after)
    assert {"waiting": 0, "active": 0}.items() <= stats.items()
    assert stats["completed"] >= 1


async def test_old_jobs_are_cleaned(team: Team) -> None:
    """Those that ended a day, or two days, ago: none of this test."""
    kept, cleaned = await team.node(
        IMPORTS
        + """
const job = await queueManager.addJob(JobType.EMAIL_SEND, { to: 'old@example.com', subject: 's', template: 'test' });
await finished(job);
const old = [
  ...(await queueManager.cleanCompleted(24 * 60 * 60 * 1000)), // 24 hours
  ...(await queueManager.cleanFailed(48 * 60 * 60 * 1000)), // 48 hours
];
export default [old, (await queueManager.cleanCompleted(0)).includes(job.id!)];
"""
    )
    assert ([], True) == (kept, cleaned)


async def test_the_options_of_a_job(team: Team) -> None:
    """A second job with a `jobId` is not added; `removeOnComplete` and `removeOnFail` delete jobs, or all but some."""
    seen = await team.node(
        IMPORTS
        + """
const add = (to: string, options: object) =>
  queueManager.addJob(JobType.EMAIL_SEND, { to, subject: 's', template: 'test' }, options);
const once = await add('once@example.com', { jobId: 'once', delay: 60_000 });
const twice = await add('twice@example.com', { jobId: 'once', attempts: 2 });
const there = await queueManager.getJob('once');
const gone = await add('gone@example.com', { removeOnComplete: true, jobId: 'gone' });
const dead = await add('nobody', { removeOnFail: true, jobId: 'dead' });
const kept = await add('kept@example.com', { removeOnComplete: 10, removeOnFail: 50, jobId: 'kept' });
await Promise.allSettled([gone, dead, kept].map(finished));
const left = await Promise.all(['gone', 'dead', 'kept'].map(async (id) => Boolean(await queueManager.getJob(id))));
await there!.remove();
export default [once.id, twice.id, there!.data.to, left];
"""
    )
    assert ["once", "once", "once@example.com", [False, False, True]] == seen
    assert "nobody" == (await team.letter("email", "dead"))["data"]["to"]


CURL = """curl -s -X POST {url}/queue/jobs \\
  -H "Content-Type: application/json" \\
  -H "Authorization: Bearer {token}" \\
  -d '{{
    "type": "EMAIL_SEND",
    "data": {{
      "to": "test@example.com",
      "subject": "Test Email",
      "template": "test"
    }},
    "options": {{
      "priority": 10
    }}
  }}'"""


async def test_a_job_is_added_by_curl(team: Team, http: httpx.AsyncClient) -> None:
    """With `type` for its name. A token is needed, and the path has no `/api`: that is the prefix of an app's own."""
    find_program(CiSettings(), "curl is not installed", "curl")
    command = CURL.format(url=str(http.base_url).rstrip("/"), token=SECRET)
    process = await asyncio.create_subprocess_exec("sh", "-c", command, stdout=asyncio.subprocess.PIPE)
    async with asyncio.timeout(PATIENCE):
        printed, _ = await process.communicate()
    added = json.loads(printed)

    assert ("email", "bullmq") == (added["queue"], added["wire"])
    assert "Test Email" == (await team.mail_to("test@example.com"))["Subject"]
    found = await http.get(f"/queue/jobs/{added['id']}", params={"queue": "email", "wait": 20})
    assert ("EMAIL_SEND", "completed", 10) == tuple(found.json()[key] for key in ("name", "state", "priority"))


async def test_a_job_is_added_looked_at_and_removed(http: httpx.AsyncClient) -> None:
    """`POST /queue/jobs`, `GET` and `DELETE /queue/jobs/:id`; without a token none of them."""
    options = {"delay": 30000, "priority": 5, "jobId": "reminder", "removeOnComplete": 10, "removeOnFail": True}
    job = {"type": "USER_NOTIFICATION", "data": NOTICE, "options": options}
    added = await http.post("/queue/jobs", json=job)
    found = await http.get("/queue/jobs/reminder")
    removed = await http.delete("/queue/jobs/reminder")
    gone = await http.get("/queue/jobs/reminder")
    refused = await http.get("/queue/stats", headers={"Authorization": ""})

    assert (202, "reminder") == (added.status_code, added.json()["id"])
    assert ("delayed", NOTICE) == (found.json()["state"], found.json()["data"])
    assert (200, 404, 401) == (removed.status_code, gone.status_code, refused.status_code)


async def test_a_job_that_could_only_fail_is_not_added(http: httpx.AsyncClient) -> None:
    """Data and types are validated by the API: such a job never gets into Redis."""
    unknown = await http.post("/queue/jobs", json={"type": "EMAIL_SEN", "data": {}})
    bad = await http.post("/queue/jobs", json={"type": "EMAIL_SEND", "data": {"subject": "Welcome"}})

    assert (422, 422) == (unknown.status_code, bad.status_code)
    assert "to: Field required" in bad.text


async def test_the_statistics(http: httpx.AsyncClient) -> None:
    """`GET /queue/stats` has the five numbers of all queues together, and those of each queue and wire."""
    await http.post("/queue/jobs", json={"type": "USER_NOTIFICATION", "data": NOTICE, "options": {"delay": 600_000}})
    mail = {"to": "later@example.com", "subject": "s", "template": "test"}
    await http.post("/queue/jobs", json={"type": "EMAIL_SEND", "data": mail, "options": {"delay": 600_000}})
    stats = (await http.get("/queue/stats")).json()

    assert stats["delayed"] >= 2
    for state in ("waiting", "active", "completed", "failed", "delayed"):
        assert stats[state] == sum(queue["counts"][state] for queue in stats["queues"])


async def test_all_queues_are_paused_and_cleaned(team: Team, http: httpx.AsyncClient) -> None:
    """`POST /queue/pause` and `resume`, `POST /queue/clean/completed` and `failed`; `older` says how old."""
    await http.post("/queue/pause")
    paused = [queue["paused"] for queue in (await http.get("/queue/stats")).json()["queues"]]
    job = {"type": "EMAIL_SEND", "data": {"to": "later@example.com", "subject": "s", "template": "test"}}
    added = (await http.post("/queue/jobs", json=job)).json()
    waits = (await http.get(f"/queue/jobs/{added['id']}", params={"queue": "email"})).json()["state"]
    await http.post("/queue/resume")
    await team.worker.logged("job_done", id=added["id"], queue="email")
    day = {"older": 24 * 60 * 60 * 1000}
    young = [(await http.post(f"/queue/clean/{state}", params=day)).json() for state in ("completed", "failed")]
    all_of_them = (await http.post("/queue/clean/completed", params={"older": 0})).json()

    assert all(paused)
    assert "waiting" == waits
    assert [{"removed": 0}, {"removed": 0}] == young
    assert all_of_them["removed"] >= 1


async def test_the_keys_in_redis(team: Team) -> None:
    """`KEYS bull:jobs:*` is `bull:email:*` here, and so on for each queue: the keys are bullmq's own."""
    await team.node(
        IMPORTS
        + """
const mail = { to: 'k@example.com', subject: 's', template: 'test' };
await finished(await queueManager.addJob(JobType.EMAIL_SEND, mail));
"""
    )
    keys = {*team.redis.keys("bull:email:*")}

    assert {"bull:email:meta", "bull:email:id", "bull:email:completed"} <= keys
    assert [] == team.redis.keys("bull:jobs:*")


@pytest.mark.matrix
async def test_three_workers_share_the_jobs(team: Team) -> None:
    """As with `--scale queue-worker=3`: each job is done once, and more than one process has done some."""
    async with team.app.worker() as second, team.app.worker() as third:
        workers = (team.worker, second, third)
        ids = await team.node(
            IMPORTS
            + """
const data = (number: number) => ({ userId: `scaled-${number}`, title: 't', body: 'b' });
const numbers = [...Array(60).keys()];
const jobs = await Promise.all(numbers.map((number) => queueManager.addJob(JobType.USER_NOTIFICATION, data(number))));
await Promise.all(jobs.map(finished));
export default jobs.map((job) => job.id);
"""
        )

        def done() -> list[list[str]]:
            lines = [worker.lines("job_done", queue="notifications") for worker in workers]
            each = [[line["id"] for line in own if line["id"] in ids] for own in lines]
            return each if sum(map(len, each)) >= len(ids) else []

        by_worker = await until(done)
        statuses = [(await worker.terminate(PATIENCE))[0] for worker in (second, third)]

    assert sorted(ids) == sorted(job_id for own in by_worker for job_id in own)
    assert sum(map(bool, by_worker)) > 1
    assert [0, 0] == statuses
