"""The table of results for other projects' test files."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.corpus.table import difference, is_final, table

GREY = [[100, 100, 100]] * 64


def image(**changes: Any) -> dict[str, Any]:
    """An image that came out as sharp makes it."""
    row = {"path": "/a.png", "kind": "image", "end": "done", "size": [8, 8], "grid": GREY}
    return row | {"sharp": {"size": [8, 8], "grid": GREY}} | changes


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (image(), None),
        (image(grid=[[102, 100, 100]] * 64), None),
        (image(grid=[[104, 100, 100]] * 64), "colours: by 4 in the mean, 4 at most"),
        (image(grid=[[117, 100, 100], *GREY[1:]]), "colours: by 0 in the mean, 17 at most"),
        (image(size=[8, 9]), "size: [8, 9] to sharp's [8, 8]"),
        (image(end="PermanentError", reason="damaged"), "sharp alone: damaged"),
        (image(sharp={"error": "no\nimage"}), "ours alone: no image"),
        (image(end="PermanentError", reason="damaged", sharp={"error": "no image"}), None),
        (image(sharp=None), None),
    ],
)
def test_an_image_differs_from_sharp_s(row: dict[str, Any], words: str | None) -> None:
    """If sharp makes none, if its size differs, or if the difference is visible."""
    assert words == difference(row)


def test_the_table() -> None:
    """A line for each kind of file, then reasons, then differences."""
    rows = [image(), image(size=[1, 1]), image(path="/b.gif", end="PermanentError", reason="more than 10 frames")]

    lines = table(rows).splitlines()

    assert lines[2:] == [
        "| image, gif | 1 | 0 | 1 | 1 | 0 | 0 | 0 |",
        "| image, png | 2 | 2 | 0 | 0 | 0 | 1 | 0 |",
        "",
        "- 1 x image: more than N frames",
        "",
        "- /a.png: size: [1, 1] to sharp's [8, 8]",
        "- /b.gif: sharp alone: more than 10 frames",
    ]


@pytest.mark.parametrize(("end", "final"), [("done", True), ("PermanentError", True), ("TransientError", False)])
def test_how_a_job_may_end(end: str, final: bool) -> None:
    """Done, or refused for good."""
    assert final is is_final(image(end=end))
