"""The worker on media: videos and images on both wires, killed in mid-job, and in 512 MB."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import boto3
import psutil
from bullmq import Queue as BullQueue
from PIL import Image
from redis import Redis

from queue_lib.observe import memory
from tests.support import videos
from tests.support.listening import connected
from tests.support.polling import PATIENCE, is_over, until
from tests.support.s3 import CREDENTIALS
from tests.support.wire_kit import rq_enqueue

if TYPE_CHECKING:
    from pathlib import Path

    from processors.media.video.ffmpeg_tools import FfmpegTools
    from tests.support.app import App
    from tests.support.s3 import Bucket

QUEUE = "file-processing"
MEGABYTE = 1024 * 1024
DYNO = 512 * MEGABYTE


def of_seconds(count: int) -> tuple[str, ...]:
    """What makes a video of so many seconds, whose encoding takes about a third of that on a quiet machine."""
    return ("-f", "lavfi", "-i", f"testsrc2=s=1280x720:r=30:d={count},noise=alls=20:allf=t", *videos.ROUGH, "-f", "mp4")


def upload(app: App, file_id: str, key: str) -> Path:
    """Add a row; returns where its upload belongs."""
    path = app.folder / "store" / key
    path.parent.mkdir(parents=True, exist_ok=True)
    app.sql('INSERT INTO "File" ("id", "name") VALUES (?, ?)', file_id, "holiday")
    return path


async def add(app: App, name: str, **data: Any) -> str:
    """Enqueue as the app does; returns the job's id."""
    queue = BullQueue(QUEUE, {"connection": app.env["REDIS_URL"]})
    job = await queue.add(name, {"userId": "user-1", **data}, {})
    await queue.close()
    return str(job.id)


async def test_a_video_on_both_wires(app: App, kit: FfmpegTools) -> None:
    """A video becomes one on BullMQ and on RQ, with poster and row, and progress is published."""
    for file_id in ("by-bullmq", "by-rq"):
        videos.make("plain", upload(app, file_id, f"uploads/{file_id}"))
    async with app.worker(VIDEO_CONCURRENCY="2", FFMPEG_PATH=str(kit.ffmpeg), FFPROBE_PATH=str(kit.ffprobe)) as worker:
        job = await add(app, "process-video", fileId="by-bullmq", filePath="uploads/by-bullmq")
        with Redis.from_url(app.env["REDIS_URL"]) as redis:
            data = {"userId": "user-1", "fileId": "by-rq", "filePath": "uploads/by-rq"}
            rq_enqueue(redis, "process-video", data, lane=QUEUE)
            await worker.logged("job_done", 2)
            result = json.loads(str(redis.hget(f"bull:{QUEUE}:{job}", "returnvalue"), "utf-8"))
    for file_id in ("by-bullmq", "by-rq"):
        seen = videos.look(app.folder / "store" / f"{file_id}-video.mp4")
        assert ("h264", "25") == (seen["video"]["codec_name"], seen["video"]["nb_read_frames"])
        [(processed, url)] = app.sql('SELECT "processed", "compressedUrl" FROM "File" WHERE "id" = ?', file_id)
        assert (1, True) == (processed, url.endswith(f"{file_id}-video.mp4"))
    assert {"width": 320, "height": 240, "codec": "h264", "truncated": False}.items() <= result.items()


async def test_a_worker_that_is_killed_in_the_middle_of_a_video(app: App) -> None:
    """No process of it goes on, nothing half-done is published, and the next worker does the video anew."""
    videos.ffmpeg(*of_seconds(12), str(upload(app, "video", "uploads/video")))
    async with app.worker(LEASE_DURATION="2") as worker:
        await add(app, "process-video", fileId="video", filePath="uploads/video")
        encoders = await until(lambda: videos.running(worker.pid))
        await asyncio.sleep(0.5)
        await worker.kill()
    await until(lambda: all(map(is_over, encoders)))
    assert ["uploads"] == [path.name for path in (app.folder / "store").iterdir()]

    async with app.worker(LEASE_DURATION="2") as worker:
        await worker.logged("job_done", within=60.0)
    seen = videos.look(app.folder / "store" / "video-video.mp4")
    assert ("360", 1) == (seen["video"]["nb_read_frames"], app.sql('SELECT "processed" FROM "File"')[0][0])


async def test_a_worker_that_is_stopped_in_the_middle_of_a_video(app: App) -> None:
    """A job that can't finish in the grace time goes back without an attempt, and leaves no process."""
    videos.ffmpeg(*of_seconds(40), str(upload(app, "video", "uploads/video")))
    async with app.worker(SHUTDOWN_GRACE="5") as worker:
        job = await add(app, "process-video", fileId="video", filePath="uploads/video")
        encoders = await until(lambda: videos.running(worker.pid))
        assert 0 == (await worker.terminate(PATIENCE))[0]
    await until(lambda: all(map(is_over, encoders)))
    with Redis.from_url(app.env["REDIS_URL"]) as redis:
        assert [job.encode()] == redis.lrange(f"bull:{QUEUE}:wait", 0, -1)
        assert redis.hget(f"bull:{QUEUE}:{job}", "atm") in {None, b"0"}


async def test_an_object_store_that_is_away_in_the_middle(app: App, s3_bucket: Bucket) -> None:
    """While S3 does not answer images wait, no attempt is counted, and all are done when it is back."""
    with closing(boto3.client("s3", endpoint_url=s3_bucket.endpoint_url)) as s3:
        for number in range(8):
            path = upload(app, f"p-{number}", f"uploads/{number}")
            Image.effect_noise((800, 600), 60).save(path, "PNG")
            s3.put_object(Bucket=s3_bucket.name, Key=f"uploads/{number}", Body=path.read_bytes())
    port = urlsplit(s3_bucket.endpoint_url).port or 80
    async with Door(port) as door:
        env = CREDENTIALS | {
            "STORAGE_URL": f"s3://{s3_bucket.name}",
            "S3_ENDPOINT_URL": f"http://127.0.0.1:{door.port}",
        }
        async with app.worker(**env) as worker:
            for number in range(4):
                await add(app, "process-image", fileId=f"p-{number}", filePath=f"uploads/{number}")
            await worker.logged("job_done")
            await door.shut()
            for number in range(4, 8):
                await add(app, "process-image", fileId=f"p-{number}", filePath=f"uploads/{number}")
            await worker.logged("job_snoozed", 4)
            await door.open()
            lines = await worker.logged("job_done", 8, within=60.0)
    assert {1} == {line["attempt"] for line in lines}
    assert [(8,)] == app.sql('SELECT count(*) FROM "File" WHERE "processed"')


class Door:
    """A port in front of a server; shutting it cuts connections, and refuses new ones."""

    def __init__(self, behind: int) -> None:
        """Lead to the port `behind` of this machine."""
        self.port = 0
        self._behind = behind
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        """Open it."""
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Shut it."""
        await self.shut()

    async def open(self) -> None:
        """Let all connections in."""
        self._server = await asyncio.start_server(self._lead, "127.0.0.1", self.port)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def shut(self) -> None:
        """Cut all connections."""
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            async with connected(self._behind) as (its_reader, its_writer):
                self._writers.add(its_writer)
                await asyncio.gather(_copy(reader, its_writer), _copy(its_reader, writer))
                self._writers.discard(its_writer)
        finally:
            self._writers.discard(writer)
            writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    if not writer.is_closing():
        writer.write_eof()


async def test_a_dyno_of_512_megabytes(app: App) -> None:
    """Sixty mixed jobs are done, all processes stay below 512 MB, and use as little as before at the end."""
    await asyncio.to_thread(fill, app)
    async with app.worker() as worker:
        await add(app, "process-image", fileId="p-0", filePath="uploads/small.jpg")  # starts the sandbox
        await worker.logged("job_done")
        idle = tree(worker.pid)
        for number in range(60):
            await add_mixed(app, number)
        peak, deadline = idle, time.monotonic() + 120
        while len(done := worker.lines("job_done")) < 61:
            assert time.monotonic() < deadline, f"{len(done)} jobs are done"
            peak = max(peak, tree(worker.pid))
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.5)
        after = tree(worker.pid)
    assert peak < DYNO
    assert after < idle + 20 * MEGABYTE
    assert {"done"} == {line["outcome"] for line in done}


def fill(app: App) -> None:
    """Photos of twelve megapixels, other images, a video of Full HD and one of 4K, a text."""
    noise = Image.effect_noise((1008, 756), 60).resize((4032, 3024)).convert("RGB")
    noise.save(upload(app, "p-0", "uploads/photo.jpg"), quality=90)
    noise.save(app.folder / "store" / "uploads" / "progressive.jpg", quality=90, progressive=True)
    small = noise.resize((2000, 1500))
    small.save(app.folder / "store" / "uploads" / "small.jpg")
    small.save(app.folder / "store" / "uploads" / "small.png")
    small.save(app.folder / "store" / "uploads" / "small.webp")
    (app.folder / "store" / "uploads" / "text").write_text("Hello")
    videos.make("4k-hevc", app.folder / "store" / "uploads" / "4k")
    source = "testsrc2=s=1920x1080:r=30:d=1,noise=alls=20:allf=t"
    videos.ffmpeg(
        "-f", "lavfi", "-i", source, *videos.ROUGH, "-f", "mp4", str(app.folder / "store" / "uploads" / "video")
    )


async def add_mixed(app: App, number: int) -> None:
    """One of sixty jobs: two videos, and images of all kinds."""
    if number in {5, 25}:
        await add(app, "process-video", fileId="p-0", filePath="uploads/video" if number == 5 else "uploads/4k")
    elif number % 10 == 1:
        await add(app, "optimize-avatar", filePath="uploads/photo.jpg")
    elif number % 10 == 2:
        await add(app, "process-file", fileId="p-0", filePath="uploads/text", operation="extract_text")
    else:
        name = ("photo.jpg", "progressive.jpg", "photo.jpg", "small.png", "small.webp")[number % 5]
        await add(app, "process-image", fileId="p-0", filePath=f"uploads/{name}")


def tree(pid: int) -> int:
    """Bytes of the process and all that it has started, each shared page counted once (proportional set size)."""
    worker = psutil.Process(pid)
    return sum(map(memory.of, (worker, *worker.children(recursive=True))))
