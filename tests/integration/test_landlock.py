"""Landlock limits what a compromised child can change. Without Landlock, tasks run all the same."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pillow_heif
import pytest
from PIL import Image

from processors.sandbox import landlock
from processors.sandbox.client import Sandbox, Task
from processors.sandbox.limits import MEBIBYTE, Limits
from tests.support.documents import make_docx, make_pdf
from tests.support.images import bytes_of
from tests.support.media import image_options
from tests.support.sandbox_tasks import PlaySandbox

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

LIMITS = Limits(cpu=20, wall=30.0, file=MEBIBYTE)
ITS_OWN = ("write within", "rename within", "make a folder within", "write to null", "signal its own")
SINCE = {"create": 1, "write": 1, "truncate": 3, "remove": 1, "move in": 1, "signal": 6}  # version of Landlock


@pytest.fixture
async def sandbox() -> AsyncIterator[PlaySandbox]:
    """A sandbox with 100 MiB to share."""
    sandbox = PlaySandbox({"PATH": "/bin"}, 100 * MEBIBYTE)
    yield sandbox
    await sandbox.close()


@pytest.fixture
def other() -> Iterator[subprocess.Popen[bytes]]:
    """A process of the same user, like the worker."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


async def test_a_child_changes_its_own_folder_alone(
    sandbox: PlaySandbox, other: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    """It can't write beside its folder or in another job's, nor signal other processes; inside it may do all."""
    folder, another = tmp_path / "job", tmp_path / "another"
    for each in (folder, another):
        each.mkdir()
    files = {name: another / name for name in ("victim", "removed", "moved")}
    for each in files.values():
        each.write_text("whole")
    arguments: dict[str, object] = {name: str(path) for name, path in files.items()}
    arguments |= {"beside": str(tmp_path / "beside"), "pid": other.pid}

    report = await sandbox.run(Task("meddle", folder, arguments, LIMITS))

    version = landlock.offered()
    refused = {name: "PermissionError" if version >= since else "done" for name, since in SINCE.items()}
    assert dict.fromkeys(ITS_OWN, "done") | refused == report


def test_a_kernel_without_it_is_no_fault(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where Landlock is missing or not allowed, nothing changes."""
    for number in landlock.MISSING:

        def call(*_: object, number: int = number) -> int:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(landlock, "_call", call)
        assert not landlock.confine(str(tmp_path))


def test_another_error_of_the_kernel_is_raised(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A kernel that has Landlock and fails to apply it is no reason to go on without."""

    def call(*_: object) -> int:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(landlock, "_call", call)
    with pytest.raises(OSError, match="Invalid"):
        landlock.confine(str(tmp_path))


def test_older_versions_are_asked_for_less() -> None:
    """Each right is requested from its version on; an older kernel would refuse the whole request."""
    first, second, third, fifth = (landlock._rights(version) for version in (1, 2, 3, 5))

    assert (0x1FF2, 0x3FF2, 0x7FF2, 0x7FF2, 0xFFF2) == (first, second, third, landlock._rights(4), fifth)


def _heic() -> bytes:
    file = io.BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", (640, 480), (200, 30, 30))).save(file)
    return file.getvalue()


SVG = b"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 4 3'><text y='2' font-size='2'>Ada</text></svg>"
TEXT = {"maxCharacters": 1000, "maxPages": 5, "maxUnpacked": MEBIBYTE, "hint": None}


@pytest.mark.parametrize(
    ("name", "upload", "arguments", "result"),
    [
        pytest.param("image", _heic(), image_options(), "compressed.jpg", id="HEIC"),
        pytest.param(
            "image", bytes_of(Image.new("RGB", (640, 480)), "TIFF"), image_options(), "compressed.jpg", id="TIFF"
        ),
        pytest.param("image", SVG, image_options(), "compressed.jpg", id="SVG"),
        pytest.param("document", make_pdf("Dear Ada,"), TEXT, "text.txt", id="PDF"),
        pytest.param("document", make_docx(), TEXT, "text.txt", id="DOCX"),
        pytest.param("document", b"Dear Ada,", TEXT, "text.txt", id="text"),
    ],
)
async def test_every_decoder_works_within_its_rights(
    tmp_path: Path, name: str, upload: bytes, arguments: dict[str, Any], result: str
) -> None:
    """A real child reads its libraries and leaves its result; videos have tests of their own."""
    (tmp_path / "source").write_bytes(upload)
    sandbox = Sandbox()
    try:
        await sandbox.run(Task(name, tmp_path, arguments, LIMITS))
    finally:
        await sandbox.close()

    made = (tmp_path / result).read_bytes()
    assert made.startswith(b"\xff\xd8") if name == "image" else b"Dear Ada," in made
