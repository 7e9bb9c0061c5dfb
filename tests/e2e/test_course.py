"""A flow over several queues, whose parent gathers what its children have made: added by Node and by Python."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import pytest

from queue_lib.jobs import dispatch_many
from tests.support.node import KITS, node_session, require
from tests.support.worker_process import WorkerProcess

if TYPE_CHECKING:
    from types import ModuleType

    from tests.support.wires import Mess

JOBS = """
from queue_lib.jobs import Job, Model, PermanentError, Queue


class Part(Model):
    id: str


class CourseVideo(Job[Part]):
    name, queue = "course-video", "process-video"

    async def handle(self, payload, context):
        return {"url": f"https://cdn.example.com/{payload.id}.mp4"}


class CoursePdf(Job[Part]):
    name, queue = "course-pdf", "generate-pdf"

    def handle(self, payload, context):
        if payload.id == "lost":
            raise PermanentError("no such page")
        return {"url": f"https://cdn.example.com/{payload.id}.pdf"}


class Course(Model):
    course_id: str


class CourseComplete(Job[Course]):
    name, queue = "course-complete", "course-orchestrator"

    async def handle(self, payload, context):
        children = await context.children()
        parts = sorted(each["url"] for each in children.results.values())
        queues = sorted(key.split(":")[1] for key in [*children.results, *children.failures])
        return {"course": payload.course_id, "parts": parts, "queues": queues, "lost": [*children.failures.values()]}


QUEUES = tuple(Queue(name=name, attempts=1) for name in ("course-orchestrator", "process-video", "generate-pdf"))
JOBS = (CourseVideo, CoursePdf, CourseComplete)
"""
VIDEOS, PDFS = ("v1", "v2"), ("p1", "lost")
TREE = {
    "name": "course-complete",
    "data": {"courseId": "123"},
    "children": [
        *({"name": "course-video", "queueName": "process-video", "data": {"id": each}} for each in VIDEOS),
        *(
            {
                "name": "course-pdf",
                "queueName": "generate-pdf",
                "data": {"id": each},
                "opts": {"ignoreDependencyOnFailure": True},
            }
            for each in PDFS
        ),
    ],
}


@pytest.fixture
def jobs(mess: Mess, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The team's module, as a program of theirs imports it."""
    monkeypatch.setenv("REDIS_URL", mess.url)
    path = mess.folder / "jobs.py"
    path.write_text(JOBS)
    spec = importlib.util.spec_from_file_location("course_jobs", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_a_course_is_complete(mess: Mess, jobs: Any) -> None:
    """Once all its parts have ended, in three queues: with their results, and the failure that was ignored."""
    for kit in KITS:
        require(kit)
    made = [*map(jobs.CourseVideo.of, ({"id": each} for each in VIDEOS))]
    made += map(jobs.CoursePdf.of, ({"id": each} for each in PDFS))
    results = []
    async with WorkerProcess({"REDIS_URL": mess.url, "JOBS": "jobs"}, mess.folder):
        for kit in sorted(KITS):
            async with node_session(mess.url, kit) as app:
                await app("addFlow", "course-orchestrator", TREE)
                results.append(await app("waitUntilFinished", "course-orchestrator", None, 20_000))
        async with node_session(mess.url, "bullmq6") as app:
            batch = await dispatch_many(made, then=jobs.CourseComplete.of({"courseId": "123"}))
            results.append(await app("waitUntilFinished", "course-orchestrator", batch.then, 20_000))

    parts = [f"https://cdn.example.com/{each}" for each in ("p1.pdf", "v1.mp4", "v2.mp4")]
    queues = ["generate-pdf", "generate-pdf", "process-video", "process-video"]
    assert [{"course": "123", "parts": parts, "queues": queues, "lost": ["no such page"]}] * 3 == results
