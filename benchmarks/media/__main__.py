"""`python -m benchmarks.media`: images through our sandbox beside sharp, one at a time and in turn. Needs Node, npm.

Medians of ROUNDS x RUNS after a warm-up. The processes live as long as the benchmark.
"""

from __future__ import annotations

import asyncio
import json
import math
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import psutil
from PIL import Image, ImageChops, ImageStat

from benchmarks.media import images
from processors.media.payload import ImageOptions
from processors.media.process_image import LIMITS
from processors.sandbox.client import Sandbox, Task
from queue_lib.observe import memory

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    Run = Callable[[Path, Path], Awaitable[float]]

HERE = Path(__file__).parent
ROUNDS, RUNS = 5, 5
MEGABYTE = 1024 * 1024
NPM = shutil.which("npm") or sys.exit("npm is not on PATH")
BOX, THUMBNAIL = (1920, 1080), (320, 240)
OPTIONS = ImageOptions().model_dump(exclude={"hashed_keys"})


async def ours(sandbox: Sandbox, source: Path, folder: Path) -> float:
    """Run one of our jobs. Returns milliseconds. The upload is on disk, as after a download."""
    shutil.copyfile(source, folder / "source")
    since = time.perf_counter()
    await sandbox.run(Task("image", folder, OPTIONS, LIMITS))
    return (time.perf_counter() - since) * 1000


class Peer:
    """The peer: a Node process."""

    def __init__(self) -> None:
        command = [shutil.which("node") or "node", str(HERE / "peer.mjs")]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=HERE)
        assert self._line() == b"ready\n"

    async def run(self, source: Path, folder: Path) -> float:
        """Run one job of the peer. Returns milliseconds."""
        assert self.process.stdin
        self.process.stdin.write(json.dumps({"source": str(source), "folder": str(folder)}).encode() + b"\n")
        self.process.stdin.flush()
        return float(json.loads(self._line())["ms"])

    def _line(self) -> bytes:
        assert self.process.stdout
        return self.process.stdout.readline()


def floor(source: Path, folder: Path) -> float:
    """Milliseconds that every pipeline on libjpeg-turbo needs: the scaled decode and two encodes."""
    since = time.perf_counter()
    with Image.open(source) as image:
        image.draft("RGB", BOX)
        image.load()
        whole = image.crop((0, 0, 1440, 1080))
        whole.save(folder / "compressed.jpg", quality=85)
        whole.crop((0, 0, *THUMBNAIL)).save(folder / "thumbnail.jpg", quality=75)
    return (time.perf_counter() - since) * 1000


class Memory:
    """The peak memory of processes (proportional set size), watched from a thread."""

    def __init__(self, pids: Callable[[], list[int]]) -> None:
        self.peak = 0
        self._pids = pids
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.01):
            total = 0
            for pid in self._pids():
                try:
                    total += memory.of(psutil.Process(pid))
                except psutil.NoSuchProcess:
                    continue
            self.peak = max(self.peak, total)


def psnr(result: Path, source: Path, *, cover: bool) -> float:
    """PSNR in decibels of a result to a LANCZOS of the whole upload at the result's size."""
    with Image.open(result) as made, Image.open(source) as whole:
        area: Any = None
        if cover:
            height = whole.width * made.height / made.width
            area = (0, (whole.height - height) / 2, whole.width, (whole.height + height) / 2)
            if height > whole.height:
                width = whole.height * made.width / made.height
                area = ((whole.width - width) / 2, 0, (whole.width + width) / 2, whole.height)
        ideal = whole.convert("RGB").resize(made.size, Image.Resampling.LANCZOS, box=area)
        squares = ImageStat.Stat(ImageChops.difference(ideal, made.convert("RGB"))).sum2
    return 10 * math.log10(255**2 * 3 * ideal.width * ideal.height / sum(squares))


async def compare(title: str, source: Path, runs: dict[str, tuple[Run, Callable[[], list[int]]]], folder: Path) -> str:
    """One row for each contestant."""
    figures: dict[str, list[float]] = {name: [] for name in runs}
    peaks: dict[str, int] = {}
    for turn in range(ROUNDS + 1):
        for name, (run, pids) in runs.items():
            (folder / name).mkdir(exist_ok=True)
            if turn:
                figures[name] += [await run(source, folder / name) for _ in range(RUNS)]
                continue
            with Memory(pids) as memory:  # watching takes time, so it is done during the warm-up
                for _ in range(RUNS):
                    await run(source, folder / name)
            peaks[name] = memory.peak
    return "\n".join(_rows(title, source, folder, figures, peaks))


def _rows(
    title: str, source: Path, folder: Path, figures: dict[str, list[float]], peaks: dict[str, int]
) -> Iterator[str]:
    best = statistics.median(figures["sharp"])
    for name, times in figures.items():
        ms = statistics.median(times)
        row = f"| {title} | {name} | {ms:.0f} | {best / ms:.2f} x | {peaks[name] / MEGABYTE:.0f} |"
        for file, cover in (("compressed.jpg", False), ("thumbnail.jpg", True)):
            path = folder / name / file
            row += f" {path.stat().st_size:,} | {psnr(path, source, cover=cover):.2f} |"
        yield row


async def main() -> None:
    """Print the table of README.md."""
    sandbox, peer = Sandbox(), Peer()
    sandbox.preload("image")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print("| image | | ms | to sharp | peak MiB | bytes | dB | thumbnail | dB |")
        print(f"|{'---|' * 9}")
        for title, source in images.make(folder):
            runs: dict[str, tuple[Run, Callable[[], list[int]]]] = {
                "ours": (lambda source, folder: ours(sandbox, source, folder), lambda: _children(sandbox)),
                "sharp": (peer.run, lambda: [peer.process.pid]),
            }
            print(await compare(title, source, runs, folder), flush=True)
            if source.suffix == ".jpeg":
                ms = statistics.median(floor(source, folder / "ours") for _ in range(RUNS))
                print(f"| {title} | floor | {ms:.0f} | | | | | | |", flush=True)
    await sandbox.close()
    peer.process.kill()


def _children(sandbox: Sandbox) -> list[int]:
    """The fork server and its children."""
    process = sandbox._process  # noqa: SLF001 -- no other module needs it
    if process is None:
        return []
    return [process.pid, *(child.pid for child in psutil.Process(process.pid).children(recursive=True))]


if __name__ == "__main__":
    subprocess.run([NPM, "install", "--silent", "--no-audit", "--no-fund"], cwd=HERE, check=True)
    asyncio.run(main())
