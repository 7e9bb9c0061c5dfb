"""Facts that only the packets of an upload say. The whole file is read, and nothing is decoded."""

from __future__ import annotations

import subprocess
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from processors.media.video.probe import guarded, number
from processors.sandbox.limits import tie

if TYPE_CHECKING:
    from pathlib import Path

    from processors.media.video.probe import Probe

LEAD_IN = 0.2  # seconds of sound that an encoder may need before the video begins
LONG = 1.5  # times the mean duration of a frame
SHAPE = "packet=stream_index,pts_time,duration_time,flags:packet_side_data=side_data_type"


@dataclass(slots=True)
class Packets:
    """What is known so far. The video is the stream `index`.

    `hidden`: seconds of sound that no player plays, plus LEAD_IN for each hidden frame. `hold`: seconds for which the
    last frame is shown (0: unknown). `lengths`: seconds of each stream. `locked`: encrypted streams. `last`: the time
    of the last of the `count` frames.
    """

    index: int
    hidden: float = 0.0
    hold: float = 0.0
    lengths: defaultdict[int, float] = field(default_factory=lambda: defaultdict(float))
    locked: set[int] = field(default_factory=set)
    last: float = float("-inf")
    count: int = 0

    @property
    def hides(self) -> bool:
        """Whether more is hidden than an encoder needs."""
        return self.hidden >= LEAD_IN

    @property
    def is_held(self) -> bool:
        """Whether the last frame is shown for longer than the others."""
        return self.hold * (self.count - 1) > LONG * (self.lengths[self.index] - self.hold)

    def take(self, line: str) -> None:
        """Add a packet: stream, time, seconds, flags, and side data."""
        index, at, seconds, flags, *beside = (*line.strip().split(","), "", "", "")
        if not index.isdecimal():
            return
        if "Encryption info" in beside:
            self.locked.add(int(index))
        if "D" in flags:
            self.hidden += LEAD_IN if int(index) == self.index else number(seconds)
            return
        self.lengths[int(index)] += number(seconds)
        if int(index) != self.index:
            return
        self.count += 1
        if number(at) >= self.last:
            self.last, self.hold = number(at), number(seconds)


def packets(ffprobe: Path, file: str, video: Probe) -> Packets:
    """Read a file of this folder. If it can't be read to its end, assume that it hides something.

    A phone may cut a video by a list of edits, and keep all of it in the file.
    """
    found = Packets(video.index)
    with subprocess.Popen(
        [*guarded(ffprobe), "-show_entries", SHAPE, "-of", "csv=p=0", f"file:{file}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=tie(),  # noqa: PLW1509 -- this process has one thread
    ) as process:
        for line in process.stdout or ():
            found.take(line)
    if process.returncode != 0:
        found.hidden = float("inf")
    return found
