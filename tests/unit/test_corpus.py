"""The table of what came of other projects' test files."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.corpus.table import difference, is_final, table

GREY = [[100, 100, 100]] * 64


def picture(**changes: Any) -> dict[str, Any]:
    """A picture that came out as sharp's."""
    row = {"path": "/a.png", "kind": "picture", "end": "done", "size": [8, 8], "grid": GREY}
    return row | {"sharp": {"size": [8, 8], "grid": GREY}} | changes


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (picture(), None),
        (picture(grid=[[102, 100, 100]] * 64), None),
        (picture(grid=[[104, 100, 100]] * 64), "colours: by 4 in the mean, 4 at most"),
        (picture(grid=[[117, 100, 100], *GREY[1:]]), "colours: by 0 in the mean, 17 at most"),
        (picture(size=[8, 9]), "size: [8, 9] to sharp's [8, 8]"),
        (picture(end="PermanentError", reason="damaged"), "sharp alone: damaged"),
        (picture(sharp={"error": "no\npicture"}), "ours alone: no picture"),
        (picture(end="PermanentError", reason="damaged", sharp={"error": "no picture"}), None),
        (picture(sharp=None), None),
    ],
)
def test_a_picture_differs_from_sharp_s(row: dict[str, Any], words: str | None) -> None:
    """In that it is there at all, in its size, or in what anybody would see."""
    assert words == difference(row)


def test_the_table() -> None:
    """A line for each kind of file, then reasons, then differences."""
    rows = [picture(), picture(size=[1, 1]), picture(path="/b.gif", end="PermanentError", reason="more than 10 frames")]

    lines = table(rows).splitlines()

    assert lines[2:] == [
        "| picture, gif | 1 | 0 | 1 | 1 | 0 | 0 | 0 |",
        "| picture, png | 2 | 2 | 0 | 0 | 0 | 1 | 0 |",
        "",
        "- 1 x picture: more than N frames",
        "",
        "- /a.png: size: [1, 1] to sharp's [8, 8]",
        "- /b.gif: sharp alone: more than 10 frames",
    ]


@pytest.mark.parametrize(("end", "final"), [("done", True), ("PermanentError", True), ("TransientError", False)])
def test_how_a_job_may_end(end: str, final: bool) -> None:
    """Done, or refused for good."""
    assert final is is_final(picture(end=end))
