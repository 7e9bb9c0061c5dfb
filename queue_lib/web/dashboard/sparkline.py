"""Small graphs as SVG paths, one step to the right for each value, in a box of a given height."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

HEIGHT = 28.0
GAP = 0.25  # of a step, between bars


def bars(values: Sequence[float], top: float, below: Sequence[float] = ()) -> str:
    """A bar for each value, standing on that of `below`; `top` is the value as high as the box."""
    path = []
    for place, value in enumerate(values):
        if value <= 0:
            continue
        base = _height(below[place] if below else 0.0, top)
        height = max(_height(value, top), 1.0)
        path.append(f"M{place + GAP / 2:g} {HEIGHT - base:.1f}h{1 - GAP:g}v{-height:.1f}h{GAP - 1:g}z")
    return "".join(path)


def line(values: Sequence[float | None], top: float) -> str:
    """A line through the values, interrupted where there is none; a value that stands alone is a dash."""
    path, drawing = [], False
    for place, value in enumerate(values):
        if value is None:
            drawing = False
            continue
        y = HEIGHT - 1 - (HEIGHT - 2) * min(value / top, 1.0) if top else HEIGHT - 1
        alone = not drawing and (place + 1 == len(values) or values[place + 1] is None)
        path.append(f"M{place:g} {y:.1f}h1" if alone else f"{'L' if drawing else 'M'}{place + 0.5:g} {y:.1f}")
        drawing = not alone
    return "".join(path)


def _height(value: float, top: float) -> float:
    return HEIGHT * min(value / top, 1.0) if top else 0.0
