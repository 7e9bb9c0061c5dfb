"""ICC profiles for images that describe their colours by numbers: coding points (ITU-T H.273), or gamma and primaries.

Newer formats name their colours by two coding points, and PNG has chunks for a gamma. With a profile that is made of
them, one conversion serves all.
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
SRGB = 1  # the coding point of sRGB's primaries, which are BT.709's
PRIMARIES: dict[int, tuple[Point, ...]] = {  # coding point -> red, green, blue, white
    1: ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), D65),
    5: ((0.640, 0.330), (0.290, 0.600), (0.150, 0.060), D65),  # BT.601 with 625 lines
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65),  # BT.601 with 525 lines
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), D65),  # BT.2020
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),  # DCI-P3
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), D65),  # Display P3
}
VIDEO = (1, 6, 14, 15)  # transfers: four coding points of one curve, displayed as in BT.1886
SRGB_TRANSFER = 13
STEPS = 256  # points of a curve: one for each value of eight bits
CLOSE = 0.005
WHITE, PEAK = 203.0, 1000.0  # nits: of diffuse white (BT.2408), and of the brightest that stays distinct


def of_numbers(primaries: int, transfer: int) -> bytes:
    """The profile for these coding points; empty if they are sRGB's, or unknown."""
    points, curve = PRIMARIES.get(primaries), CURVES.get(transfer)
    if (primaries, transfer) == (SRGB, SRGB_TRANSFER) or points is None or curve is None:
        return b""
    return _profile(points, curve)


def of_gamma(gamma: float, points: tuple[Point, ...] | None) -> bytes:
    """The profile for colours that are light to the power of `gamma`; the primaries are sRGB's by default."""
    try:
        return _profile(points or PRIMARIES[SRGB], lambda value: value ** (1 / gamma))
    except (ArithmeticError, struct.error):
        return b""  # the numbers are no gamma, or no visible colours


def is_srgb(gamma: float, points: tuple[Point, ...] | None) -> bool:
    """Whether encoders write these numbers for sRGB. Its curve is no gamma, but near to 1/2.2."""
    near = zip(points or PRIMARIES[SRGB], PRIMARIES[SRGB], strict=True)
    return abs(gamma - 1 / 2.2) < CLOSE and all(math.dist(here, there) < CLOSE for here, there in near)


def _srgb(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4  # noqa: PLR2004 -- IEC 61966-2-1


def _pq(value: float) -> float:
    """SMPTE ST 2084."""
    root = value ** (32 / 2523)
    return _dimmed(10_000 * (max(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (16384 / 2610))


def _hlg(value: float) -> float:
    """BT.2100, for a screen of PEAK nits."""
    scene = value**2 / 3 if value <= 0.5 else (math.exp((value - 0.55991073) / 0.17883277) + 0.28466892) / 12  # noqa: PLR2004
    return _dimmed(PEAK * scene**1.2)


def _dimmed(nits: float) -> float:
    """Tone-mapped light for a screen without high dynamic range; 1 is its white.

    Reinhard's curve: it hardly changes dark colours, and maps PEAK to 1.
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
    """An ICC profile (version 2) for a display: three colorants, and one curve for all of them."""
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
    """Header, tag table and tags. `same` maps a tag to the one whose data it shares."""
    offset = 128 + 4 + 12 * (len(tags) + len(same))
    body, offsets = b"", {}
    for tag, data in tags.items():
        offsets[tag] = (offset + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    entries = [(tag, offsets[same.get(tag, tag)]) for tag in (*tags, *same)]
    table = struct.pack(">I", len(entries)) + b"".join(struct.pack(">4sII", tag, *where) for tag, where in entries)
    size = 128 + len(table) + len(body)
    head = struct.pack(">I4xI4s4s4s12x4s28x3I", size, 0x02400000, b"mntr", b"RGB ", b"XYZ ", b"acsp", *map(_fixed, D50))
    return head.ljust(128, b"\0") + table + body


D50 = (0.9642, 1.0, 0.8249)  # the white of ICC profiles, as XYZ
BRADFORD = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))


def _to_d50(points: tuple[Point, ...]) -> Matrix:
    """Rows X, Y, Z and columns red, green, blue, adapted to D50 as white."""
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
    """The inverse of a 3x3 matrix. Raises ZeroDivisionError if there is none."""
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
    """As s15Fixed16Number."""
    return round(value * 65536)
