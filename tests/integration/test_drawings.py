"""Hostile SVGs in a real child: each ends soon, within its memory, and gives the reason of the refusal."""

from __future__ import annotations

import base64
import http.server
import threading
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from processors.sandbox.client import Sandbox, Task
from processors.sandbox.limits import MEBIBYTE, Limits
from queue_lib.errors import PermanentError
from tests.support.images import RED, WHITE, bytes_of, close, opened
from tests.support.media import image_options

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

LIMITS = Limits(cpu=3, wall=60.0, file=16 * MEBIBYTE)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """The real one, with the default memory."""
    sandbox = Sandbox()
    sandbox.preload("image")
    yield sandbox
    await sandbox.close()


def drawing(body: str, side: int = 1000) -> bytes:
    """An SVG."""
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{side}" height="{side}">{body}</svg>'.encode()


def nested(depth: int) -> str:
    """Ten times ten times ten, and so on, of a half-transparent square."""
    groups = (f'<g id="g{at}">' + f'<use href="#g{at - 1}"/>' * 10 + "</g>" for at in range(1, depth))
    first = '<g id="g0"><rect width="1000" height="1000" opacity=".1"/></g>'
    return f'<defs>{first}{"".join(groups)}</defs><use href="#g{depth - 1}"/>'


BLUR = '<feGaussianBlur stdDeviation="99"/>'
BOMB = base64.b64encode(bytes_of(Image.new("1", (20_000, 20_000)), "PNG")).decode()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        pytest.param(nested(11), "more than 3 s of processor time|can't be drawn", id="ten billion squares"),
        pytest.param(
            f'<filter id="f" x="-1" y="-1" width="3" height="3">{BLUR * 500}</filter>'
            '<rect width="1000" height="1000" filter="url(#f)"/>',
            "more than 3 s of processor time|can't be drawn",
            id="a chain of filters",
        ),
        pytest.param(
            '<pattern id="p" width="1000000" height="1000000" patternUnits="userSpaceOnUse">'
            '<rect width="1000000" height="1000000"/></pattern><rect width="1000" height="1000" fill="url(#p)"/>',
            "can't be drawn",
            id="a huge pattern",
        ),
        pytest.param(
            f'<image href="data:image/png;base64,{BOMB}" width="9" height="9"/>',
            "far more memory|can't be drawn",
            id="a bomb within",
        ),
    ],
)
async def test_a_bomb_is_refused_for_good(sandbox: Sandbox, tmp_path: Path, body: str, reason: str) -> None:
    """By the limits of its own process."""
    (tmp_path / "source").write_bytes(drawing(body))

    with pytest.raises(PermanentError, match=reason):
        await sandbox.run(Task("image", tmp_path, image_options(), LIMITS))


class Server(http.server.BaseHTTPRequestHandler):
    """Notes each request."""

    asked: list[str]

    def do_GET(self) -> None:
        """Note the path."""
        self.asked.append(self.path)
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    """A server on this machine that must get no request."""
    Server.asked = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


async def test_nothing_outside_is_read_or_asked(sandbox: Sandbox, tmp_path: Path, port: int) -> None:
    """Images, styles, types and fonts by file or URL are left out, and the SVG is drawn without them."""
    folder = tmp_path / "job"
    folder.mkdir()
    Image.new("RGB", (9, 9), RED).save(tmp_path / "red.png")
    Image.new("RGB", (9, 9), RED).save(folder / "red.png")
    places = ("red.png", f"{tmp_path}/red.png", f"file://{tmp_path}/red.png", f"http://127.0.0.1:{port}/red.png")
    images = "".join(f'<image href="{place}" width="1000" height="1000"/>' for place in places)
    styles = f'<style>@import url("http://127.0.0.1:{port}/a.css"); @font-face {{src: url(http://127.0.0.1:{port}/f)}}</style>'
    start = f'<!DOCTYPE svg SYSTEM "http://127.0.0.1:{port}/svg.dtd">'.encode()
    (folder / "source").write_bytes(start + drawing(styles + images))

    await sandbox.run(Task("image", folder, image_options(), LIMITS))

    assert close(WHITE, opened(folder / "compressed.jpg").getpixel((500, 500)))
    assert [] == Server.asked
