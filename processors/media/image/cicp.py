"""What an image's numbers for colours mean, as an ICC profile: coding points (ITU-T H.273), or a gamma and primaries.

Newer formats name their colours by two numbers, and PNG has chunks for a gamma. With a profile made of them one
conversion serves all.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Curve = Callable[[float], float]
    Point = tuple[float, float]  # x and y, as CIE 1931 has colours
    Matrix = Sequence[Sequence[float]]

D65: Point = (0.3127, 0.3290)
SRGB = 1  # number of its primaries; those of BT.709
PRIMARIES: dict[int, tuple[Point, ...]] = {  # number -> red, green, blue, white
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), D65),
    5: ((0.640, 0.330), (0.290, 0.600), (0.150, 0.060), D65),  # BT.601 with 625 lines
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65),  # BT.601 with 525 lines
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), D65),  # BT.2020
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),  # DCI-P3
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), D65),  # Display P3
}
VIDEO = (1, 6, 14, 15)  # transfers: one under four numbers, and shown as BT.1886 has it
SRGB_TRANSFER = 13
STEPS = 256  # of a curve: one for each value that eight bits have
CLOSE = 0.005
WHITE, PEAK = 203.0, 1000.0  # nits: of paper (BT.2408), and of the brightest that is kept apart from others


def of_numbers(primaries: int, transfer: int) -> bytes:
    """The profile for these coding points; empty where they are sRGB's, or say nothing."""
    points, curve = PRIMARIES.get(primaries), CURVES.get(transfer)
    if (primaries, transfer) == (SRGB, SRGB_TRANSFER) or points is None or curve is None:
        return b""
    return _profile(points, curve)


def of_gamma(gamma: float, points: tuple[Point, ...] | None) -> bytes:
    """The profile for colours that are light to the power of `gamma`, with sRGB's primaries where none are given."""
    try:
        return _profile(points or PRIMARIES[SRGB], lambda value: value ** (1 / gamma))
    except (ArithmeticError, struct.error):
        return b""  # no gamma, or no colours that anybody sees


def is_srgb(gamma: float, points: tuple[Point, ...] | None) -> bool:
    """Whether they are what encoders write for sRGB, whose curve is no gamma, but near to this one."""
    near = zip(points or PRIMARIES[SRGB], PRIMARIES[SRGB], strict=True)
    return abs(gamma - 1 / 2.2) < CLOSE and all(math.dist(here, there) < CLOSE for here, there in near)


def _srgb(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4  # noqa: PLR2004 -- IEC 61966-2-1


def _pq(value: float) -> float:
    """SMPTE ST 2084."""
    root = value ** (32 / 2523)
    return _dimmed(10_000 * (max(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (16384 / 2610))


def _hlg(value: float) -> float:
    """BT.2100, for a screen of PEAK."""
    scene = value**2 / 3 if value <= 0.5 else (math.exp((value - 0.55991073) / 0.17883277) + 0.28466892) / 12  # noqa: PLR2004
    return _dimmed(PEAK * scene**1.2)


def _dimmed(nits: float) -> float:
    """Light as a screen without high dynamic range shows it, 1 its white: what is brighter than paper has room there.

    Reinhard's curve, which leaves shades as they are and brings PEAK to 1.
    """
    light = nits / WHITE
    return min(1.0, light * (1 + light * (WHITE / PEAK) ** 2) / (1 + light))


CURVES: dict[int, Curve] = {
    **dict.fromkeys(VIDEO, lambda value: value**2.4),
    4: lambda value: value**2.2,
    5: lambda value: value**2.8,
    8: lambda value: value,
    SRGB_TRANSFER: _srgb,
    16: _pq,
    18: _hlg,
}


def _profile(points: tuple[Point, ...], curve: Curve) -> bytes:
    """An ICC profile (version 2) for a screen: three colorants and a curve for all of them."""
    red, green, blue = zip(*_to_d50(points), strict=True)
    steps = (min(0xFFFF, round(0xFFFF * curve(step / (STEPS - 1)))) for step in range(STEPS))
    table = struct.pack(f">4sII{STEPS}H", b"curv", 0, STEPS, *steps)
    name = b"desc" + struct.pack(">II", 0, 5) + b"CICP\0" + bytes(78)
    tags = {
        b"desc": name,
        b"cprt": b"text" + bytes(4) + b"none\0",
        b"wtpt": _xyz(D50),
        **{tag: _xyz(each) for tag, each in ((b"rXYZ", red), (b"gXYZ", green), (b"bXYZ", blue))},
        b"rTRC": table,
    }
    return _assembled(tags, {b"gTRC": b"rTRC", b"bTRC": b"rTRC"})


def _assembled(tags: dict[bytes, bytes], same: dict[bytes, bytes]) -> bytes:
    """Header, table and tags; those of `same` are stored as others are."""
    place = 128 + 4 + 12 * (len(tags) + len(same))
    body, places = b"", {}
    for tag, data in tags.items():
        places[tag] = (place + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    entries = [(tag, places[same.get(tag, tag)]) for tag in (*tags, *same)]
    table = struct.pack(">I", len(entries)) + b"".join(struct.pack(">4sII", tag, *where) for tag, where in entries)
    size = 128 + len(table) + len(body)
    head = struct.pack(">I4xI4s4s4s12x4s28x3I", size, 0x02400000, b"mntr", b"RGB ", b"XYZ ", b"acsp", *map(_fixed, D50))
    return head.ljust(128, b"\0") + table + body


D50 = (0.9642, 1.0, 0.8249)
BRADFORD = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))


def _to_d50(points: tuple[Point, ...]) -> Matrix:
    """Rows X, Y, Z and columns red, green, blue, for D50 as white, which ICC has."""
    *primaries, white = ([x / y, 1.0, (1 - x - y) / y] for x, y in points)
    columns = list(zip(*primaries, strict=True))
    amounts = _times(_inverse(columns), [[value] for value in white])
    colours = [[value * amounts[at][0] for at, value in enumerate(row)] for row in columns]
    here, there = (_times(BRADFORD, [[value] for value in each]) for each in (white, D50))
    ratios = [[there[row][0] / here[row][0] if row == column else 0.0 for column in range(3)] for row in range(3)]
    return _times(_times(_inverse(BRADFORD), _times(ratios, BRADFORD)), colours)


def _times(one: Matrix, other: Matrix) -> list[list[float]]:
    columns = list(zip(*other, strict=True))
    return [[sum(a * b for a, b in zip(row, column, strict=True)) for column in columns] for row in one]


def _inverse(matrix: Matrix) -> list[list[float]]:
    """Of three by three; a matrix without one raises ZeroDivisionError."""
    rows = [
        [
            matrix[(y + 1) % 3][(x + 1) % 3] * matrix[(y + 2) % 3][(x + 2) % 3]
            - matrix[(y + 1) % 3][(x + 2) % 3] * matrix[(y + 2) % 3][(x + 1) % 3]
            for y in range(3)
        ]
        for x in range(3)
    ]
    whole = sum(matrix[0][x] * rows[x][0] for x in range(3))
    return [[value / whole for value in row] for row in rows]


def _xyz(values: Sequence[float]) -> bytes:
    return b"XYZ " + struct.pack(">4x3i", *map(_fixed, values))


def _fixed(value: float) -> int:
    """With 16 bits behind the point."""
    return round(value * 65536)
