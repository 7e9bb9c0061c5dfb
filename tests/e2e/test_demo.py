"""`make demo`, run from a copy of the project in a directory with a space in its name."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.support.polling import PATIENCE

PROJECT = Path(__file__).parents[2]
NODE_MODULES = "tests/node/node_modules"
NOT_COPIED = shutil.ignore_patterns(".*", "node_modules", "__pycache__", "demo-output")
BEFORE_MAIN = 'if __name__ == "__main__":\n    main()'

# A worker that takes every job and says that all went well.
PRETENDER = """
import os
from processors.email.mail import Receipt
from processors.email.smtp.mailer import SmtpMailer
from processors.push.delivery import Delivery, Kind
from processors.push.send import PushSender
from queue_lib.broker.bullmq.dead_letters import BullMQDeadLetters
from storage.objects.local import LocalStore

async def send(*_): return Delivery(Kind.SENT)
async def mail(_, mail, *__): return Receipt(mail.recipients, (), (), "250")
async def add(*_): pass
async def store(self, source, key, *_): return f"file:///{key}"
SmtpMailer.send = mail
exit = os._exit
PushSender.send, BullMQDeadLetters.add, LocalStore.store = send, add, store
os._exit = lambda _: exit(3)

"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the project."""
    copy = tmp_path / "push mill"
    shutil.copytree(PROJECT, copy, ignore=NOT_COPIED)
    if (PROJECT / NODE_MODULES).is_dir():
        (copy / NODE_MODULES).symlink_to(PROJECT / NODE_MODULES)
    return copy


async def test_the_dashboard_of_the_demo(checkout: Path) -> None:
    """It prints its address and token; jobs come in on both wires until it is interrupted."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "demo.dashboard"),
        cwd=checkout,
        env={"PATH": os.defpath},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        said = await asyncio.wait_for(_until_said(process, b"Ctrl-C"), PATIENCE)
        [url] = re.findall(r"(http://\S+)/admin/queues", said)
        [token] = re.findall(r"token: (\S+)", said)
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=PATIENCE) as http:
            assert 200 == (await http.get("/admin/queues/")).status_code
            done: dict[str, int] = {}
            async with asyncio.timeout(PATIENCE):
                while min(done.values(), default=0) == 0:
                    stats = (await http.get("/queue/stats")).json()
                    done = {wire: of["completed"] for wire, of in stats["queues"][0]["wires"].items()}
        process.send_signal(signal.SIGINT)
        _, errors = await asyncio.wait_for(process.communicate(), PATIENCE)
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    assert (0, b"") == (process.returncode, errors)
    assert {"bullmq", "rq"} == set(done)


async def _until_said(process: asyncio.subprocess.Process, words: bytes) -> str:
    assert process.stdout is not None
    return (await process.stdout.readuntil(words)).decode()


def play(checkout: Path, path: str = os.defpath) -> tuple[int, str]:
    """Run the demo with this PATH and nothing else in its environment; returns its exit status and output."""
    ended = subprocess.run(
        [sys.executable, "-m", "demo"],
        cwd=checkout,
        env={"PATH": path, "PYTHONUTF8": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=5 * PATIENCE,
        check=False,
    )
    return ended.returncode, ended.stdout


def folder_of_node() -> str:
    """Where Node is, for PATH."""
    node = shutil.which("node")
    return str(Path(node).parent) if node else ""


@pytest.mark.usefixtures("node_modules")
@pytest.mark.parametrize("node_modules", ["bullmq6"], indirect=True)
def test_with_node(checkout: Path) -> None:
    """With Node's bullmq and stock RQ as producers, every result is seen, and the images stay on disk."""
    status, output = play(checkout, folder_of_node())

    assert 0 == status, output
    assert "node     completed     process-image 1:" in output
    assert "3 rows before, 2 after" in output
    with Image.open(checkout / "demo-output" / "photo-compressed.jpg") as image:
        assert (1920, 1080) == image.size
    assert (checkout / "demo-output" / "worker.log").stat().st_size > 0


def test_without_node_twice_at_once(checkout: Path) -> None:
    """Without Node the Python package enqueues; a second demo of the clone, or an earlier one, does not interfere."""
    (checkout / "demo-output" / "uploads").mkdir(parents=True)
    (checkout / "demo-output" / "uploads" / "photo.jpg").touch()
    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(lambda _: play(checkout, path="/nowhere"), range(2)))

    for status, output in ends:
        assert 0 == status, output
        assert "bullmq   completed     process-image 1:" in output
    assert {"demo-output", "demo-output-2"} == {path.parent.name for path in checkout.glob("*/photo-compressed.jpg")}


@pytest.mark.parametrize("program", ["-m demo", "-m demo.dashboard", "-m scripts.queue_stats", "worker.py", "web.py"])
def test_interrupted_while_it_loads(checkout: Path, program: str) -> None:
    """Ctrl-C before a program is ready ends it without a stack trace."""
    (checkout / "structlog").mkdir()  # a package that all of them load, and that takes its time
    (checkout / "structlog" / "__init__.py").write_text("import time; print('loading', flush=True); time.sleep(60)")
    process = subprocess.Popen(
        [sys.executable, *program.split()],
        cwd=checkout,
        env={"PATH": os.defpath},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    assert "loading\n" == process.stdout.readline()
    process.send_signal(signal.SIGINT)

    assert "" == process.communicate(timeout=PATIENCE)[0]
    assert -signal.SIGINT == process.returncode


@pytest.mark.matrix
def test_a_worker_that_pretends_is_found_out(checkout: Path) -> None:
    """A worker that reports success and does nothing fails every check of the demo."""
    worker = checkout / "worker.py"
    worker.write_text(worker.read_text().replace(BEFORE_MAIN, PRETENDER + BEFORE_MAIN))

    status, output = play(checkout)

    failed = [line for line in output.splitlines() if line.startswith("FAILED: ")]
    assert 1 == status, output
    assert ["pushes", "pruned", "mail", "images", "dead letter", "worker"] == [line.split(": ")[1] for line in failed]


def test_a_worker_that_does_not_start(checkout: Path) -> None:
    """A worker that ends at its start fails the demo, which shows the worker's last lines."""
    worker = checkout / "worker.py"
    worker.write_text(worker.read_text().replace(BEFORE_MAIN, f"sys.exit('no coffee')\n\n\n{BEFORE_MAIN}"))

    status, output = play(checkout)

    assert 1 == status
    assert output.endswith("FAILED: the worker ended by itself; its last lines:\n  no coffee\n")
