"""The cron patterns that Node's cron-parser 5 accepts, in the plain form that cronsim reads.

cron-parser knows presets, `?`, `H` and patterns of fewer than five fields; either day field will do if none is `*`.
Here each field becomes the list of its values. What cron-parser refuses is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PRESETS = {
    "@yearly": "0 0 0 1 1 *",
    "@annually": "0 0 0 1 1 *",
    "@monthly": "0 0 0 1 * *",
    "@weekly": "0 0 0 * * 0",
    "@daily": "0 0 0 * * *",
    "@hourly": "0 0 * * * *",
    "@minutely": "0 * * * * *",
    "@secondly": "* * * * * *",
    "@weekdays": "0 0 0 * * 1-5",
    "@weekends": "0 0 0 * * 0,6",
}
DEFAULTS = ["0", "*", "*", "*", "*", "*"]  # of the fields that a short pattern leaves out, the first ones
LONGEST = 1024  # characters
HASHED = re.compile(r"H(?:\((\d+)-(\d+)\))?(?:/(\d+))?")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
NAMES = {name: str(number) for number, name in enumerate(WEEKDAYS)} | {
    name: str(number) for number, name in enumerate(MONTHS, start=1)
}
ALL_HOURS = frozenset(range(24))


class PatternError(ValueError):
    """A pattern or time zone that can't be read, or a day that never comes. The message says which."""


@dataclass(frozen=True, slots=True)
class Field:
    """A place in a pattern, and the numbers it may hold."""

    name: str
    low: int
    high: int
    has_names: bool = False


SECOND, MINUTE, HOUR = Field("second", 0, 59), Field("minute", 0, 59), Field("hour", 0, 23)
DAY, MONTH, WEEKDAY = Field("day of month", 1, 31), Field("month", 1, 12, True), Field("day of week", 0, 7, True)  # noqa: FBT003


@dataclass(frozen=True, slots=True)
class Pattern:
    """`plain` is what cronsim reads, six fields; `every_hour`: all 24 hours are in it."""

    plain: str
    every_hour: bool


@lru_cache(maxsize=4096)
def parse(pattern: str, seed: str) -> Pattern:
    """Translate. `H` is drawn by `seed`, the same number each time. Raises PatternError."""
    if len(pattern) > LONGEST:
        msg = f"the pattern is longer than {LONGEST} characters"
        raise PatternError(msg)
    if not pattern.isascii():  # Python reads digits of all scripts, Node does not
        msg = f"{pattern[:100]!r} has other characters than ASCII's"
        raise PatternError(msg)
    fields = PRESETS.get(pattern, pattern).split()
    fields = DEFAULTS[: max(0, 6 - len(fields))] + fields
    if len(fields) > 6:  # noqa: PLR2004
        msg = "it has more than six fields"
        raise PatternError(msg)
    chances = _chances(seed)
    second, minute, hour = (
        _numbers(*each, next(chances)) for each in zip(fields[:3], (SECOND, MINUTE, HOUR), strict=True)
    )
    month = _numbers(fields[4], MONTH, next(chances))
    day, weekday = _days(fields[3], next(chances)), _weekdays(fields[5], next(chances))
    plain = " ".join([*map(_joined, (second, minute, hour)), day, _joined(month), weekday])
    return Pattern(plain, every_hour=hour == ALL_HOURS)


def _joined(numbers: frozenset[int]) -> str:
    return ",".join(map(str, sorted(numbers)))


def _days(text: str, chance: float) -> str:
    if text in {"*", "?"}:
        return "*"
    terms = text.split(",")
    numbers = [term for term in terms if not re.fullmatch(r"\d{0,2}L", term)]
    last = ["L"] if len(numbers) < len(terms) else []
    return ",".join([*([_joined(_numbers(",".join(numbers), DAY, chance))] if numbers else []), *last])


def _weekdays(text: str, chance: float) -> str:
    """`5#3` is the third Friday, `5L` the last one; 7 is Sunday, as 0 is."""
    if text in {"*", "?"}:
        return "*"
    days, hash_sign, nth = _numbered(text).partition("#")
    if hash_sign and (re.search("[,/-]", days) or not re.fullmatch("[1-5]", nth)):
        msg = f"{text} is no day of week: expected one day, #, and a number from 1 to 5"
        raise PatternError(msg)
    terms = days.split(",")
    lasts = [f"{int(term[0]) % 7}L" for term in terms if re.fullmatch(r"[0-7]L", term)]
    numbers = ",".join(term for term in terms if not re.fullmatch(r"[0-7]L", term))
    plain = sorted({number % 7 for number in _numbers(numbers, WEEKDAY, chance)}) if numbers else []
    return ",".join([*(f"{number}#{nth}" if nth else str(number) for number in plain), *lasts])


def _numbered(text: str) -> str:
    return re.sub("[a-z]{3}", lambda found: NAMES.get(found[0].lower(), found[0]), text, flags=re.IGNORECASE)


def _numbers(text: str, field: Field, chance: float) -> frozenset[int]:
    text = _numbered(text) if field.has_names else text
    text = re.sub(r"[*?]", f"{field.low}-{field.high}", text)
    text = HASHED.sub(lambda found: _hashed(found, field, chance), text)
    return frozenset(number for term in text.split(",") for number in _term(term, field))


def _term(term: str, field: Field) -> range:
    """`5`, `5-9`, `5-9/2`, or `5/2`, which goes on to the highest number."""
    found = re.fullmatch(r"(\d+)(?:-(\d+))?(?:/(\d+))?", term)
    if not found:
        msg = f"{term!r} is no {field.name}"
        raise PatternError(msg)
    first, step = int(found[1]), int(found[3] or 1)
    last = int(found[2]) if found[2] else field.high if found[3] else first
    if not (field.low <= first <= last <= field.high and step > 0):
        msg = f"{term} is no {field.name}: expected {field.low} to {field.high}, ascending"
        raise PatternError(msg)
    return range(first, last + 1, step)


def _hashed(found: re.Match[str], field: Field, chance: float) -> str:
    """`H`, `H(0-29)`, `H/15` and `H(0-29)/10`, as cron-parser computes them."""
    low, high = max(int(found[1] or 0), field.low), min(int(found[2] or field.high), field.high)
    step = int(found[3] or 0)
    if low > high or (found[3] and not step):
        msg = f"{found[0]} is no {field.name}"
        raise PatternError(msg)
    first = low // step * step + int(chance * step) if step else high + 1
    values = [number for number in range(first, high + 1, step or 1) if number >= low]
    return ",".join(map(str, values)) or str(int(chance * (high - low + 1)) + low)


def _chances(seed: str) -> Iterator[float]:
    """The numbers from 0 to 1 that cron-parser draws for `hashSeed`: FNV-1a of the seed, then mulberry32."""
    state = 2166136261
    for unit in memoryview(seed.encode("utf-16-le", "surrogatepass")).cast("H"):
        state = (state ^ unit) * 16777619 & 0xFFFFFFFF
    for draw in count(1):
        mixed = state + draw * 0x6D2B79F5 & 0xFFFFFFFF
        mixed = (mixed ^ mixed >> 15) * (mixed | 1) & 0xFFFFFFFF
        mixed ^= mixed + ((mixed ^ mixed >> 7) * (mixed | 61) & 0xFFFFFFFF) & 0xFFFFFFFF
        yield (mixed ^ mixed >> 14) / 2**32
